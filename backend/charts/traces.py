"""Traces: curves in, Plotly traces out. Pure.

Each trace carries `meta`: the `metric`, its `role` (low, high, raw, mean, mark, branch, nonfinite, quarter,
share, count), the palette `slot` its colour comes from, and where it is smoothed the time constant `tau`. A page
recolours by slot and extends by metric and role.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.charts.smoothing import ema
from backend.charts.specs import ChartSpec
from backend.metrics.catalog import TERMINATIONS
from backend.metrics.columns import Axis, Columns, Floats
from backend.metrics.reader import SeriesData

Trace = dict[str, Any]
PALETTE = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#db2777")
BAND_OPACITY = "2e"
BARS = 40


def line_traces(spec: ChartSpec, data: SeriesData, slot: int, tau: float) -> list[Trace]:
    """A metric as mean over its min/max band; smoothed, with the values themselves faint beneath."""
    curve, name = data.curve, spec.name(data.metric)
    if not len(curve):
        return []
    x, colour = _x(curve.x, data.x), colour_of(slot)
    invisible = {"width": 0, "color": colour}
    traces = (
        []
        if data.raw
        else [
            _trace(data.metric, "low", slot, x, curve.low, name, line=invisible, showlegend=False),
            _trace(
                data.metric,
                "high",
                slot,
                x,
                curve.high,
                name,
                line=invisible,
                showlegend=False,
                fill="tonexty",
                fillcolor=colour + BAND_OPACITY,
            ),
        ]
    )
    if tau > 0:
        line = {"width": 1, "color": colour}
        traces.append(
            _trace(
                data.metric,
                "raw",
                slot,
                x,
                curve.mean,
                name,
                line=line,
                opacity=0.3,
                showlegend=False,
            )
        )
    mean = _trace(
        data.metric,
        "mean",
        slot,
        x,
        ema(curve.x, curve.mean, tau),
        name,
        line={"width": 1.6, "color": colour},
    )
    mean["meta"]["tau"] = tau
    return [*traces, mean, *_nonfinite(data, slot, name)]


def mark_traces(spec: ChartSpec, data: SeriesData, slot: int) -> list[Trace]:
    """A metric of few points as markers; its column's range is drawn where several share one."""
    curve = data.curve
    if not len(curve):
        return []
    single = data.metric != "evaluation/episode_return"
    style = {"size": 7 if single else 4, "color": colour_of(slot)}
    mark = _trace(
        data.metric,
        "mark",
        slot,
        _x(curve.x, data.x),
        curve.mean,
        spec.name(data.metric),
        mode="lines+markers" if single else "markers",
        marker=style,
        line={"width": 1, "color": colour_of(slot), "dash": "dot"},
        opacity=1 if single else 0.5,
    )
    if not data.raw:
        mark["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _short(curve.high - curve.mean),
            "arrayminus": _short(curve.mean - curve.low),
            "width": 0,
        }
    return [mark, *_nonfinite(data, slot, spec.name(data.metric))]


def branch_traces(spec: ChartSpec, data: SeriesData, slot: int) -> list[Trace]:
    """Abandoned segments: faint, dotted, out of the legend."""
    traces = []
    for branch in data.branches:
        name = f"{spec.name(data.metric)}, abandoned segment {branch.segment}"
        line = {"width": 1.2, "color": colour_of(slot), "dash": "dot"}
        x, mean = _x(branch.curve.x, data.x), branch.curve.mean
        trace = _trace(
            data.metric, "branch", slot, x, mean, name, line=line, opacity=0.4, showlegend=False
        )
        trace["meta"]["segment"] = branch.segment
        traces.append(trace)
    return traces


def share_traces(spec: ChartSpec, found: Sequence[SeriesData], tau: float) -> list[Trace]:
    """Shares stacked to the whole."""
    traces = []
    for slot, data in enumerate(found):
        if not len(data.curve):
            continue
        smooth = ema(data.curve.x, data.curve.mean, tau)
        trace = _trace(
            data.metric,
            "share",
            slot,
            _x(data.curve.x, data.x),
            smooth,
            spec.name(data.metric),
            stackgroup="share",
            line={"width": 0.5, "color": colour_of(slot)},
            fillcolor=colour_of(slot) + "99",
        )
        trace["meta"]["tau"] = tau
        traces.append(trace)
    return traces


def termination_traces(points: Columns, x: Axis) -> list[Trace]:
    """How many episodes of each stretch ended by which reason, as stacked bars."""
    if not len(points):
        return []
    at = points.axis(x)
    edges = np.linspace(at[0], max(at[-1], at[0] + 1), min(BARS, len(points)) + 1)
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    traces = []
    for slot, reason in enumerate(TERMINATIONS):
        counts, _ = np.histogram(at[points.value == slot], edges)
        if not counts.any():
            continue
        traces.append(
            {
                "type": "bar",
                "x": _x(middles, x),
                "y": counts.astype(np.int32),
                "width": widths * (1000 if x == "time" else 1),
                "name": reason.replace("_", " "),
                "marker": {"color": colour_of(slot)},
                "meta": {"metric": "episode/termination", "role": "count", "slot": slot},
            }
        )
    return traces


def quarter_traces(edges: Sequence[tuple[float, float, float]], x: Axis) -> list[Trace]:
    """The mean of each quarter of the episodes, as (from, to, mean), drawn as a level line."""
    if not edges:
        return []
    xs = np.array([value for start, end, _ in edges for value in (start, end, np.nan)])
    ys = np.array([value for _, _, mean in edges for value in (mean, mean, np.nan)])
    line = {"width": 2, "color": "#64748b"}
    return [_trace("episode/return", "quarter", -1, _x(xs, x), ys, "quarter means", line=line)]


def colour_of(slot: int) -> str:
    return PALETTE[slot % len(PALETTE)]


def plot_x(value: float, x: Axis) -> float:
    """A clock reading as Plotly plots it: dates are milliseconds."""
    return value * 1000 if x == "time" else value


def _nonfinite(data: SeriesData, slot: int, name: str) -> list[Trace]:
    """Crosses where values were NaN or infinite, at the height of the last finite one."""
    curve = data.curve
    rows = np.flatnonzero(curve.nonfinite)
    if not len(rows):
        return []
    finite = np.flatnonzero(np.isfinite(curve.mean))
    before = np.searchsorted(finite, rows, side="right") - 1
    height = curve.mean[finite[np.maximum(before, 0)]] if len(finite) else np.zeros(len(rows))
    return [
        _trace(
            data.metric,
            "nonfinite",
            slot,
            _x(curve.x[rows], data.x),
            height,
            f"{name}: not finite",
            mode="markers",
            marker={"symbol": "x", "size": 8, "color": "#dc2626"},
        )
    ]


def _trace(
    metric: str,
    role: str,
    slot: int,
    x: NDArray[Any],
    y: Floats,
    name: str,
    mode: str = "lines",
    **style: Any,
) -> Trace:
    meta = {"metric": metric, "role": role, "slot": slot}
    values = _short(y)
    return {
        "type": "scatter",
        "mode": mode,
        "x": x,
        "y": values,
        "name": name,
        "meta": meta,
        **style,
    }


def _x(values: Floats, x: Axis) -> NDArray[Any]:
    """As small as it stays exact: steps beyond 2^24 need a double."""
    if x == "time":
        return values * 1000
    whole = np.rint(values)
    if (
        np.isfinite(values).all()
        and (whole == values).all()
        and np.abs(values).max(initial=0) < 2**31
    ):
        return values.astype(np.int32)
    return values


def _short(values: Floats) -> NDArray[Any]:
    """Half the bytes: a pixel needs no more than seven digits."""
    with np.errstate(over="ignore"):
        short = values.astype(np.float32)
    return short if (np.isfinite(short) == np.isfinite(values)).all() else values
