"""The driving as the run page shows it: the last picture, and the episode's trace as an SVG map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.snapshots import Point, Trace, read_trace

# Share of the map's longer side: free space around the route, and the length of the car.
MARGIN, CAR = 0.08, 0.1
# Nose, rear corner, notch, rear corner of a car of length 1 that drives east.
TRIANGLE = ((0.6, 0.0), (-0.4, 0.36), (-0.22, 0.0), (-0.4, -0.36))


@dataclass(frozen=True)
class Map:
    """The trace as SVG attributes, one unit a metre; y points south on both."""

    view_box: str
    route: str
    driven: str
    car: str
    goal: Point
    radius: float

    @classmethod
    def of(cls, trace: Trace) -> "Map":
        left, top, width, height = _box(trace.route)
        side = max(width, height)
        return cls(
            view_box=f"{left:.1f} {top:.1f} {width:.1f} {height:.1f}",
            route=_points(trace.route),
            driven=_points(trace.driven),
            car=_points(_car(trace.driven[-1], trace.heading, CAR * side)),
            goal=trace.route[-1],
            radius=0.02 * side,
        )


@dataclass(frozen=True)
class Sight:
    """What there is to see, and else why there is nothing."""

    trace: Trace | None
    map: Map | None
    picture: str | None
    no_picture: str


def read_sight(snapshots: Path, run: Run) -> Sight:
    """What the run's trainer wrote last."""
    trace = read_trace(snapshots, run.id)
    # The address changes with the picture: that is what makes a browser ask for it again.
    address = f"/api/v1/runs/{run.id}/frame?at={trace.step}" if trace else ""
    return Sight(
        trace=trace,
        map=Map.of(trace) if trace else None,
        picture=address if trace and trace.picture else None,
        no_picture=_why_no_picture(run),
    )


def _why_no_picture(run: Run) -> str:
    if not run.is_native:
        return "No picture: this run is not trained by Pitwall."
    config = RunConfig.model_validate(run.config)
    if not config.is_carla:
        return f"No picture: {config.environment} has no camera."
    if not config.uses_images:
        return "No picture: the policy sees numbers and no camera (actor_input is vector)."
    return "The picture comes with the first training episode."


def _box(route: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in route], [y for _, y in route]
    margin = MARGIN * max(max(xs) - min(xs), max(ys) - min(ys), 1.0)
    left, top = min(xs) - margin, min(ys) - margin
    return left, top, max(xs) + margin - left, max(ys) + margin - top


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _car(at: Point, heading: float, length: float) -> list[Point]:
    forward = (length * math.cos(heading), length * math.sin(heading))
    return [
        (
            at[0] + ahead * forward[0] - right * forward[1],
            at[1] + ahead * forward[1] + right * forward[0],
        )
        for ahead, right in TRIANGLE
    ]
