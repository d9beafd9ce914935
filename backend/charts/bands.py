"""Charts of several runs: a line for each group of seeds with its band, on one axis of steps, episodes or hours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from backend.analysis.bands import Centre, band, estimator, on_grid, shared_grid
from backend.charts.figures import View, find_charts
from backend.charts.smoothing import ema, time_constant
from backend.charts.specs import ChartSpec
from backend.charts.traces import Trace
from backend.metrics.columns import Axis
from backend.metrics.reader import read_series
from backend.runs.models import Run

Floats = NDArray[np.float64]
GRID = 200
DAY = 86_400.0
TITLES: dict[Axis, str] = {"step": "step", "episode": "episode", "time": "time since its start"}


def banded(
    session: Session, groups: Mapping[str, Sequence[Run]], chart: str, view: View, centre: Centre
) -> dict[str, Any]:
    """The first metric of a chart for every group, as a plain Plotly figure.

    A group of one run is its line. Of more, the thin lines are the runs, and centre and band go as far
    as every run that has points. Runs of different days are laid one upon the other: time counts from
    each run's start.

    Raises:
        NotFound: when there is no such chart.
    """
    (spec,) = find_charts(session, next(iter(groups.values()))[0].id, [chart])
    traces: list[Trace] = []
    for slot, (name, runs) in enumerate(groups.items()):
        curves = [curve for run in runs if len((curve := _curve(session, run, spec, view))[0])]
        traces += _traces(name, slot, curves, spec.every_metric[0], view.x, centre)
    return {"data": traces, "layout": _layout(spec, traces, view.x, centre)}


def _curve(session: Session, run: Run, spec: ChartSpec, view: View) -> tuple[Floats, Floats]:
    """(x, y) of the run's first metric, smoothed where the chart is not of single marks."""
    began = (run.started_at or run.created_at) if view.x == "time" else 0.0
    start, end = ((None if at is None else at + began) for at in (view.start, view.end))
    data = read_series(session, run.id, spec.every_metric[0], start, end, view.points, view.x)
    x = np.asarray(data.curve.x, np.float64) - began
    if not len(x) or not spec.metrics:
        return x, np.asarray(data.curve.mean, np.float64)
    tau = time_constant(view.smoothing, float(x[-1] - x[0]))
    return x, np.asarray(ema(x, data.curve.mean, tau), np.float64)


def _traces(
    name: str,
    slot: int,
    curves: Sequence[tuple[Floats, Floats]],
    metric: str,
    x: Axis,
    centre: Centre,
) -> list[Trace]:
    def line(role: str, at: Floats, y: Floats, **style: Any) -> Trace:
        return {
            "type": "scatter",
            "mode": "lines",
            "x": at * (1000 if x == "time" else 1),
            "y": y.astype(np.float32),
            "name": name,
            "meta": {"metric": metric, "role": role, "slot": slot},
            **{"showlegend": False, "line": {"width": 2}, **style},
        }

    if len(curves) == 1:
        return [line("compared", *curves[0], showlegend=True)]
    thin = [line("member", at, y, line={"width": 1}, opacity=0.3) for at, y in curves]
    grid = shared_grid([at for at, _ in curves], GRID)
    if not len(grid):
        return thin
    middle, low, high = band(np.stack([on_grid(grid, at, y) for at, y in curves]), centre)
    edge = {"line": {"width": 0}}
    return [
        line("low", grid, low, **edge),
        line("high", grid, high, fill="tonexty", fillcolor="rgba(0,0,0,0.1)", **edge),
        *thin,
        {**line("compared", grid, middle, showlegend=True), "name": f"{name} (n={len(curves)})"},
    ]


def _layout(spec: ChartSpec, traces: Sequence[Trace], x: Axis, centre: Centre) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": TITLES[x]}, "type": "linear"}
    if x == "time":
        longest = max((float(trace["x"][-1]) / 1000 for trace in traces), default=0.0)
        axis |= {"type": "date", "tickformat": "day %-j, %H:%M" if longest > DAY else "%H:%M:%S"}
    bands = any(trace["meta"]["role"] == "low" for trace in traces)
    return {
        "xaxis": axis,
        "yaxis": {"title": {"text": spec.unit}, "type": "log" if spec.log else "linear"},
        "shapes": [],
        "showlegend": True,
        "meta": {
            "chart": spec.id,
            "title": spec.title,
            "x": x,
            "marks": [],
            "estimator": estimator(centre) if bands else "",
        },
    }
