"""Runs side by side: one chart with a line for each, and where their configurations differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from sqlalchemy.orm import Session

from backend.charts.figures import figure
from backend.metrics.columns import Axis
from backend.metrics.store import latest, read_points
from backend.runs.models import Run
from backend.web import forms

MOST_RUNS = 8
CHARTS = ("return", "evaluation-return", "success-rate", "q-values", "td-error", "critic-loss")
COMPARED = ("mean", "mark")
LAST = 10


def compared_figure(
    session: Session, runs: Sequence[Run], chart: str, x: Axis, points: int, smoothing: float
) -> go.Figure:
    """The chart of every run in one, a colour for each run.

    Raises:
        NotFound: when there is no such chart.
    """
    traces: list[Any] = []
    layout: Any = {}
    for slot, run in enumerate(runs):
        drawn = figure(session, run, chart, points=points, x=x, smoothing=smoothing, branches=False)
        layout = drawn.layout
        traces += _of_run(drawn, run, slot)
    layout.shapes, layout.meta = (), {"chart": chart, "x": x, "marks": []}
    return go.Figure({"data": traces, "layout": layout})


def _of_run(drawn: go.Figure, run: Run, slot: int) -> list[Any]:
    """The chart's first metric only: with every run's every metric nobody could tell them apart."""
    found = [trace for trace in drawn.data if trace.meta["role"] in COMPARED]
    found = [trace for trace in found if trace.meta["metric"] == found[0].meta["metric"]]
    for trace in found:
        trace.name = run.name
        # A role of its own: the points of one run's stream must not be added to another's line.
        trace.meta = {**trace.meta, "slot": slot, "role": "compared"}
    return found


@dataclass(frozen=True)
class Difference:
    """A configuration key whose value is not the same everywhere."""

    name: str
    values: list[str]


def differences(runs: Sequence[Run]) -> list[Difference]:
    """Only the keys that differ, in the form's order."""
    names = dict.fromkeys(name for run in runs for name in run.config)
    table = [
        Difference(n, [forms.text(run.config.get(n, "absent")) for run in runs]) for n in names
    ]
    return [row for row in table if len(set(row.values)) > 1]


@dataclass(frozen=True)
class Standing:
    """How one run stands, for the table beside the others."""

    run: Run
    mean_return: float | None
    evaluation: float | None
    success: float | None


def standing(session: Session, run: Run) -> Standing:
    """Mean return of the last ten episodes, and the last evaluation."""
    start = run.episode - LAST + 1
    returns = read_points(session, run.id, "episode/return", start=start, x="episode").value
    last = latest(session, run.id, ["evaluation/return_mean", "evaluation/success_rate"])
    return Standing(
        run,
        float(returns.mean()) if len(returns) else None,
        last["evaluation/return_mean"][4] if "evaluation/return_mean" in last else None,
        last["evaluation/success_rate"][4] if "evaluation/success_rate" in last else None,
    )


def comparable(runs: Sequence[Run]) -> bool:
    """Whether returns mean the same in all of them."""
    return len({run.reward_fingerprint for run in runs}) <= 1
