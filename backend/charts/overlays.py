"""Overlays: phases, checkpoints, flips, segments and reference lines, drawn over any chart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.analysis.quarters import quarters
from backend.charts.traces import plot_x
from backend.checkpoints.models import Checkpoint
from backend.gates.models import Flip
from backend.metrics.catalog import CATALOG
from backend.metrics.columns import Axis, Columns
from backend.metrics.metric import Better
from backend.metrics.reader import latest, read_points
from backend.runs.models import Run, Segment

Shape = dict[str, Any]
Place = Callable[[float, float | None, float | None], float]
DRIVER = "PID + pure pursuit"
BASELINE = [name for name in CATALOG if name.startswith("baseline/")]
# Which of its figures is the level of which metric: equal names, save for these.
BASELINE_OF = {
    **{
        f"{group}/{name.removeprefix('baseline/')}": name
        for group in ("evaluation", "episode")
        for name in BASELINE
    },
    "episode/return": "baseline/return_mean",
    "episode/success": "baseline/success_rate",
    "progress/speed": "baseline/mean_speed",
}
MOST_CHECKPOINTS, MOST_FLIPS = 60, 60
COLOURS = {
    "phase": "#64748b",
    "checkpoint": "#0891b2",
    "warning": "#d97706",
    "critical": "#dc2626",
    "ok": "#059669",
    "segment": "#9333ea",
    "reference": "#94a3b8",
}


@dataclass(frozen=True)
class Mark:
    """Something that happened at one place of the axis. `kind` names it to the page."""

    x: float
    kind: str
    label: str
    colour: str


@dataclass(frozen=True)
class Reference:
    """A level to compare with; `below`: its words stand under the line, which is often the chart's top."""

    y: float
    label: str
    below: bool = False


@dataclass(frozen=True)
class Overlays:
    """What is drawn over the charts of a run, on one axis.

    `references` belong on charts of returns; `baseline` holds what the scripted driver reached, by metric.
    """

    marks: list[Mark] = field(default_factory=list)
    learning_starts: float | None = None
    references: list[Reference] = field(default_factory=list)
    baseline: dict[str, float] = field(default_factory=dict)
    quarters: list[tuple[float, float, float]] = field(default_factory=list)


def read_overlays(session: Session, run: Run, x: Axis, *, returns: bool) -> Overlays:
    """Everything to draw over a chart; `returns`: it shows returns, so quarters and references belong on it."""
    needed = returns or x != "step"
    episodes = read_points(session, run.id, "episode/return") if needed else Columns.empty()
    place = _placer(episodes, x)
    starts = run.config.get("learning_starts")
    boundary = place(float(starts), None, None) if starts is not None else None
    marks = [
        *_segments(session, run, place),
        *_checkpoints(session, run, place),
        *_flips(session, run, place),
    ]
    return Overlays(
        marks=[mark for mark in marks if np.isfinite(mark.x)],
        learning_starts=boundary if boundary is not None and np.isfinite(boundary) else None,
        references=_references(session, run) if returns else [],
        baseline=_baseline(session, run),
        quarters=_quarters(episodes, x) if returns else [],
    )


def shapes(overlays: Overlays, x: Axis, start: float | None, end: float | None) -> list[Shape]:
    """Plotly shapes of the overlays inside `[start, end]`. Their `name` is "overlay:" and the kind."""
    low = -np.inf if start is None else start
    high = np.inf if end is None else end
    found = [_vertical(mark, x) for mark in overlays.marks if low <= mark.x <= high]
    found += [_level(reference) for reference in overlays.references]
    boundary = overlays.learning_starts
    if boundary is not None and low <= boundary <= high:
        found.append(_boundary(plot_x(boundary, x)))
    return found


def _placer(episodes: Columns, x: Axis) -> Place:
    """Where on the axis something stands, by its step, or its episode and time where it has them."""

    def place(step: float, episode: float | None, time: float | None) -> float:
        known = {"step": step, "episode": episode, "time": time}[x]
        if known is not None:
            return known
        if not len(episodes):
            return np.nan
        return float(np.interp(step, episodes.step, episodes.axis(x)))

    return place


def _segments(session: Session, run: Run, place: Place) -> list[Mark]:
    rows = session.scalars(
        select(Segment).where(Segment.run_id == run.id, Segment.parent_id.is_not(None))
    )
    return [
        Mark(
            place(row.start_step, row.start_episode, row.created_at),
            "segment",
            f"segment {row.number}: {row.reason}",
            COLOURS["segment"],
        )
        for row in rows
    ]


def _checkpoints(session: Session, run: Run, place: Place) -> list[Mark]:
    query = select(Checkpoint).where(Checkpoint.run_id == run.id)
    rows = session.scalars(query.order_by(Checkpoint.id.desc()).limit(MOST_CHECKPOINTS)).all()
    return [
        Mark(
            place(row.step, row.episode, row.created_at),
            "checkpoint",
            f"checkpoint {row.id}, {row.kind}",
            COLOURS["checkpoint"],
        )
        for row in reversed(rows)
    ]


def _flips(session: Session, run: Run, place: Place) -> list[Mark]:
    """Changes to and from critical and of the verdict; warnings would hide the curve."""
    serious = (Flip.rule == "verdict") | (Flip.after == "critical") | (Flip.before == "critical")
    query = select(Flip).where(Flip.run_id == run.id, serious)
    rows = session.scalars(query.order_by(Flip.id.desc()).limit(MOST_FLIPS)).all()
    return [
        Mark(
            place(row.step, None, row.at),
            "verdict" if row.rule == "verdict" else "flip",
            f"{row.rule}: {row.before} to {row.after}",
            _flip_colour(row.after),
        )
        for row in reversed(rows)
    ]


def _flip_colour(after: str) -> str:
    if after in ("critical", "no-go"):
        return COLOURS["critical"]
    return COLOURS["warning" if after in ("warning", "conditional-go") else "ok"]


def _references(session: Session, run: Run) -> list[Reference]:
    """The random policy, and the untrained one."""
    found = []
    for metric, end, label in (
        ("evaluation/random_return", None, "random policy"),
        ("evaluation/return_mean", 0, "untrained policy"),
    ):
        points = read_points(session, run.id, metric, end=end)
        values = points.value[np.isfinite(points.value)]
        if len(values):
            found.append(Reference(float(values.mean()), label))
    return found


def _baseline(session: Session, run: Run) -> dict[str, float]:
    found = latest(session, run.id, BASELINE)
    return {name: point[4] for name, point in found.items() if np.isfinite(point[4])}


def baseline_line(baseline: dict[str, float], metrics: Sequence[str]) -> list[Reference]:
    """The scripted driver's level on a chart of these metrics, if it was measured there."""
    for metric in metrics:
        name = BASELINE_OF.get(metric, "")
        if name in baseline:
            below = CATALOG[name].better is not Better.LOWER
            return [Reference(baseline[name], DRIVER + _interval(baseline, name), below)]
    return []


def _interval(baseline: dict[str, float], name: str) -> str:
    low, high = baseline.get("baseline/success_low"), baseline.get("baseline/success_high")
    if name != "baseline/success_rate" or low is None or high is None:
        return ""
    return f", 95 % interval {low:.0%} to {high:.0%}"


def _quarters(episodes: Columns, x: Axis) -> list[tuple[float, float, float]]:
    if len(episodes) < 4:
        return []
    at = episodes.axis(x)
    parts = [part for part in quarters(episodes.value) if part.mean is not None and part.n]
    return [
        (float(at[part.start]), float(at[part.stop - 1]), float(part.mean))
        for part in parts
        if part.mean is not None
    ]


def _vertical(mark: Mark, x: Axis) -> Shape:
    at, lasting = plot_x(mark.x, x), mark.kind in ("segment", "verdict")
    line = {"width": 1, "color": mark.colour, "dash": "solid" if lasting else "dot"}
    label = {"text": mark.label, "font": {"size": 9}, "textposition": "end"}
    return {
        "type": "line",
        "name": f"overlay:{mark.kind}",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": line,
        "opacity": 0.7,
        **({"label": label} if lasting else {}),
    }


def _level(reference: Reference) -> Shape:
    return {
        "type": "line",
        "name": "overlay:reference",
        "x0": 0,
        "x1": 1,
        "xref": "paper",
        "y0": reference.y,
        "y1": reference.y,
        "line": {"width": 1, "color": COLOURS["reference"], "dash": "dash"},
        "label": {
            "text": reference.label,
            "font": {"size": 9},
            "textposition": "start",
            "yanchor": "top" if reference.below else "bottom",
        },
    }


def _boundary(at: float) -> Shape:
    """Exploration ends and learning starts here."""
    return {
        "type": "line",
        "name": "overlay:phase",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"width": 1.5, "color": COLOURS["phase"], "dash": "dashdot"},
        "label": {"text": "learning starts", "font": {"size": 9}, "textposition": "end"},
    }


def legend(marks: Sequence[Mark], x: Axis) -> list[dict[str, Any]]:
    """What each vertical line means, for the page's readout and table."""
    return [{"x": plot_x(mark.x, x), "kind": mark.kind, "label": mark.label} for mark in marks]
