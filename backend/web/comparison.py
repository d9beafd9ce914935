"""Runs side by side: one chart with a line for each, and where their configurations differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from backend.charts.figures import View, draw
from backend.charts.traces import Trace
from backend.metrics.store import latest, read_points
from backend.runs.models import Run
from backend.web import forms

MOST_RUNS = 8
CHARTS = ("return", "evaluation-return", "success-rate", "q-values", "td-error", "critic-loss")
COMPARED = ("mean", "mark")
LAST = 10


def compared_figure(
    session: Session, runs: Sequence[Run], chart: str, view: View
) -> dict[str, Any]:
    """The chart of every run in one plain figure, a colour for each run.

    Raises:
        NotFound: when there is no such chart.
    """
    traces: list[Trace] = []
    layout: dict[str, Any] = {}
    for slot, run in enumerate(runs):
        drawn = draw(session, run, [chart], replace(view, branches=False))[chart]
        layout = drawn["layout"]
        traces += _of_run(drawn["data"], run, slot)
    layout |= {"shapes": [], "showlegend": len(runs) > 1}
    layout["meta"] = {"chart": chart, "x": view.x, "marks": []}
    return {"data": traces, "layout": layout}


def _of_run(traces: Sequence[Trace], run: Run, slot: int) -> list[Trace]:
    """The chart's first metric only: with every run's every metric nobody could tell them apart."""
    found = [trace for trace in traces if trace["meta"]["role"] in COMPARED]
    return [
        # A role of its own: the points of one run's stream must not be added to another's line.
        {**trace, "name": run.name, "meta": {**trace["meta"], "slot": slot, "role": "compared"}}
        for trace in found
        if trace["meta"]["metric"] == found[0]["meta"]["metric"]
    ]


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
