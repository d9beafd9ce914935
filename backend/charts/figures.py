"""Figures: any chart of any run as a Plotly figure, lean enough to send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from backend.charts.overlays import Overlays, baseline_line, legend, read_overlays, shapes
from backend.charts.smoothing import time_constant
from backend.charts.specs import CHARTS, ChartSpec, Kind, chart_for_metric, charts_for
from backend.charts.traces import (
    Trace,
    branch_traces,
    line_traces,
    mark_traces,
    quarter_traces,
    share_traces,
    termination_traces,
)
from backend.errors import NotFound
from backend.metrics.columns import Axis
from backend.metrics.lineage import Lineage, lineage_of
from backend.metrics.reader import SeriesData, list_metrics, read_columns, read_metrics
from backend.runs.models import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["CHARTS", "ChartSpec", "View", "chart_groups", "draw", "figure", "find_charts"]


@dataclass(frozen=True)
class View:
    """What of a chart is looked at: range, columns, axis, smoothing in [0, 1), abandoned branches."""

    start: float | None = None
    end: float | None = None
    points: int = 800
    x: Axis = "step"
    smoothing: float = 0.0
    branches: bool = True


AXIS_TITLES: dict[Axis, str] = {"step": "step", "episode": "episode", "time": ""}


def chart_groups(session: Session, run_id: int) -> list[tuple[str, list[ChartSpec]]]:
    """The charts that have something to draw for a run, by group, in the page's order."""
    groups: dict[str, list[ChartSpec]] = {}
    for spec in charts_for(list_metrics(session, run_id)):
        groups.setdefault(spec.group, []).append(spec)
    return list(groups.items())


def find_charts(session: Session, run_id: int, chart_ids: Sequence[str]) -> list[ChartSpec]:
    """The charts of these ids, or of the run's metrics they are made of.

    Raises:
        NotFound: when there is none.
    """
    known: dict[str, ChartSpec] = dict(CHARTS)
    if not known.keys() >= set(chart_ids):
        own = map(chart_for_metric, list_metrics(session, run_id))
        known = {**{spec.id: spec for spec in own}, **CHARTS}
    if missing := [chart_id for chart_id in chart_ids if chart_id not in known]:
        raise NotFound(f"There is no chart '{missing[0]}': choose one of {', '.join(CHARTS)}")
    return [known[chart_id] for chart_id in chart_ids]


def figure(
    session: Session,
    run: Run,
    chart_id: str,
    *,
    start: float | None = None,
    end: float | None = None,
    points: int = 800,
    x: Axis = "step",
    smoothing: float = 0.0,
    branches: bool = True,
) -> "go.Figure":
    """A chart of a run over `[start, end]` of axis `x`, at most `points` columns wide.

    `smoothing` in [0, 1) is the strength of the moving average drawn over the values themselves; its
    time constant stands in `layout.meta.smoothing`. Without data the figure has no traces.

    Raises:
        NotFound: when there is no such chart.
    """
    # 60 MB and half a second that a server which only writes `draw` out as JSON can do without.
    import plotly.graph_objects as go

    view = View(start, end, points, x, smoothing, branches)
    drawn = go.Figure(draw(session, run, [chart_id], view)[chart_id])
    drawn.layout.template = None
    return drawn


def draw(
    session: Session, run: Run, chart_ids: Sequence[str], view: View
) -> dict[str, dict[str, Any]]:
    """Several charts of a run as plain Plotly figures (`data` and `layout`, arrays of numpy), by id.

    What charts share is read once, and Plotly's validation, which takes longer than all the rest, is
    left to the tests: `backend.charts.encoding` writes these to JSON as Plotly would.

    Raises:
        NotFound: when there is no such chart.
    """
    specs = find_charts(session, run.id, chart_ids)
    returns = any(spec.kind is Kind.RETURNS for spec in specs)
    overlays = read_overlays(session, run, view.x, returns=returns)
    lineage = lineage_of(session, run.id)
    drawn = [spec.every_metric for spec in specs if spec.kind is not Kind.TERMINATIONS]
    metrics = list(dict.fromkeys(metric for some in drawn for metric in some))
    wanted = view.start, view.end, view.points, view.x, view.branches
    found = read_metrics(session, lineage, metrics, *wanted)
    series = dict(zip(metrics, found, strict=True))
    return {spec.id: _draw(session, lineage, spec, series, overlays, view) for spec in specs}


def _draw(
    session: Session,
    lineage: Lineage,
    spec: ChartSpec,
    series: Mapping[str, SeriesData],
    overlays: Overlays,
    view: View,
) -> dict[str, Any]:
    if spec.kind is Kind.TERMINATIONS:
        columns = read_columns(session, lineage, spec.metrics[0], view.start, view.end, view.x)
        traces = termination_traces(columns, view.x)
        return {"data": traces, "layout": _layout(spec, traces, overlays, view, 0.0)}
    found = [series[metric] for metric in spec.every_metric]
    tau = time_constant(view.smoothing, _span(found, view))
    traces = _traces(spec, found, overlays, tau, view.x)
    return {"data": traces, "layout": _layout(spec, traces, overlays, view, tau)}


def _traces(
    spec: ChartSpec, found: list[SeriesData], overlays: Overlays, tau: float, x: Axis
) -> list[Trace]:
    lines = found[: len(spec.metrics)]
    if spec.kind is Kind.SHARES:
        return share_traces(spec, lines, tau)
    traces: list[Trace] = []
    for slot, data in enumerate(found):
        traces += branch_traces(spec, data, slot)
        if slot < len(lines):
            traces += line_traces(spec, data, slot, tau)
        else:
            traces += mark_traces(spec, data, slot)
    if lines and spec.kind is Kind.RETURNS:
        traces += quarter_traces(overlays.quarters, x)
    return traces


def _span(found: list[SeriesData], view: View) -> float:
    ends = [(data.curve.x[0], data.curve.x[-1]) for data in found if len(data.curve)]
    low = min((low for low, _ in ends), default=0.0) if view.start is None else view.start
    high = max((high for _, high in ends), default=0.0) if view.end is None else view.end
    return max(float(high - low), 0.0)


def _layout(
    spec: ChartSpec, traces: list[Trace], overlays: Overlays, view: View, tau: float
) -> dict[str, Any]:
    x = view.x
    lines = overlays.references if spec.kind is Kind.RETURNS else []
    driver = baseline_line(overlays.baseline, spec.every_metric)
    own = replace(overlays, references=[*lines, *driver])
    smoothing = {"estimator": "EMA", "time_constant": tau, "unit": "s" if x == "time" else x}
    return {
        "xaxis": {"title": {"text": AXIS_TITLES[x]}, "type": "date" if x == "time" else "linear"},
        "yaxis": {"title": {"text": spec.unit}, "type": "log" if spec.log else "linear"},
        "shapes": shapes(own, x, view.start, view.end) if traces else [],
        "showlegend": len({trace["name"] for trace in traces}) > 1,
        "barmode": "stack",
        "meta": {
            "chart": spec.id,
            "title": spec.title,
            "x": x,
            "smoothing": smoothing,
            "marks": legend(overlays.marks, x) if traces else [],
        },
    }
