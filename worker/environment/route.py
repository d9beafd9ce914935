"""A route as evenly spaced points, and where on it a vehicle is. Pure geometry in CARLA's axes (y right)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPACING = 0.5
GOAL_MARGIN = 1.0
COMMAND_LEAD = 15.0


@dataclass(frozen=True, eq=False)
class Route:
    """Centre of the lanes to drive, one point every `SPACING` metres.

    Attributes:
        x, y, z: (n,) metres.
        yaw: (n,) radians, unwrapped, clockwise seen from above as CARLA's.
        half_width: (n,) metres from the centre of the lane to its border.
        command: (n,) -1 left, 0 follow, +1 right; set from 15 m before a turn to its end.
    """

    name: str
    x: Array
    y: Array
    z: Array
    yaw: Array
    half_width: Array
    command: Array

    @property
    def length(self) -> float:
        return (len(self.x) - 1) * SPACING

    @property
    def goal(self) -> float:
        """Metres along the route at which it counts as completed."""
        return self.length - GOAL_MARGIN

    def index(self, distance: float) -> int:
        """The point nearest to `distance` metres along the route."""
        return min(len(self.x) - 1, max(0, round(distance / SPACING)))

    def pose(self, distance: float, right: float = 0.0, turn: float = 0.0) -> "Pose":
        """A pose `distance` metres along, `right` metres beside and `turn` radians off the centre."""
        i = self.index(distance)
        yaw = float(self.yaw[i])
        x = float(self.x[i]) - right * math.sin(yaw)
        y = float(self.y[i]) + right * math.cos(yaw)
        return Pose(x, y, float(self.z[i]), yaw + turn)


@dataclass(frozen=True)
class Pose:
    """Metres and radians."""

    x: float
    y: float
    z: float
    yaw: float


@dataclass(frozen=True, eq=False)
class Path:
    """Lane centres as planned, unevenly spaced; `turn` is the sign of the junction turn a point lies on."""

    x: Array
    y: Array
    z: Array
    yaw: Array
    half_width: Array
    turn: Array


def densify(name: str, path: Path) -> Route:
    """The path resampled to a point every `SPACING` metres of its own arc length."""
    step = np.hypot(np.diff(path.x), np.diff(path.y))
    kept = np.concatenate(([True], step > 1e-3))
    x, y, yaw = path.x[kept], path.y[kept], np.unwrap(path.yaw[kept])
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))))
    at = np.arange(int(along[-1] / SPACING) + 1) * SPACING
    turn = path.turn[kept][np.searchsorted(along, at, side="left").clip(max=len(x) - 1)]
    return Route(
        name,
        np.interp(at, along, x),
        np.interp(at, along, y),
        np.interp(at, along, path.z[kept]),
        np.interp(at, along, yaw),
        np.interp(at, along, path.half_width[kept]),
        _announce(turn),
    )


def _announce(turn: Array) -> Array:
    """Each turn's sign, carried back over the metres that lead to it; the turn nearest ahead wins."""
    command = turn.copy()
    lead = int(COMMAND_LEAD / SPACING)
    for first in reversed(np.flatnonzero(np.diff(turn, prepend=0.0) * turn).tolist()):
        before = command[max(0, first - lead) : first]
        before[turn[max(0, first - lead) : first] == 0] = turn[first]
    return command


class Tracker:
    """Follows one vehicle along a route, point to neighbouring point.

    Attributes:
        distance: metres along the route, negative before its start.
        furthest: largest distance so far.
        lateral: metres beside the centre, positive to the right.
        heading_error: radians, positive when the vehicle points right of the route.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        # Lists: reading one float from a NumPy array costs ten times as much.
        self._x: list[float] = route.x.tolist()
        self._y: list[float] = route.y.tolist()
        self._yaw: list[float] = route.yaw.tolist()
        self._last = len(route.x) - 1
        self.half_widths: list[float] = route.half_width.tolist()
        self.index = 0
        self.distance = self.furthest = self.lateral = self.heading_error = 0.0

    def start(self, index: int, x: float, y: float, yaw: float) -> None:
        """Look from point `index` and forget what was driven before."""
        self.index = index
        self.furthest = -math.inf
        self.update(x, y, yaw)

    def update(self, x: float, y: float, yaw: float) -> None:
        i = self._nearest(x, y)
        heading = self._yaw[i]
        dx, dy = x - self._x[i], y - self._y[i]
        cosine, sine = math.cos(heading), math.sin(heading)
        along = dx * cosine + dy * sine
        self.distance = i * SPACING + along
        self.furthest = max(self.furthest, self.distance)
        self.lateral = dy * cosine - dx * sine
        neighbour = min(self._last, i + 1) if along > 0 else max(0, i - 1)
        heading += (self._yaw[neighbour] - heading) * min(1.0, abs(along) / SPACING)
        self.heading_error = math.remainder(yaw - heading, math.tau)

    def _nearest(self, x: float, y: float) -> int:
        """Walk to the neighbour that is closer until none is: crossings of a route with itself do not confuse it."""
        i = self.index
        best = self._square(i, x, y)
        for direction in (1, -1):
            while 0 <= i + direction <= self._last:
                square = self._square(i + direction, x, y)
                if square >= best:
                    break
                i, best = i + direction, square
        self.index = i
        return i

    def _square(self, i: int, x: float, y: float) -> float:
        dx, dy = x - self._x[i], y - self._y[i]
        return dx * dx + dy * dy
