"""The nearest vehicle on the route ahead. Pure."""

import math
from typing import NamedTuple

import numpy as np

from worker.environment.boxes import Box, outline
from worker.environment.route import SPACING, Array, Tracker

LOOK_AHEAD = 50.0
# Sideways room the ego needs beyond its half width.
SIDE_ROOM = 0.2
# What lies so far before or behind a point of the route is beside it: further than half way to the next, for on
# the outside of a bend the pieces of the strip part.
OVERLAPPING = 0.7 * SPACING


class Ahead(NamedTuple):
    """The nearest vehicle on the route ahead: bumper to bumper metres, seconds at this closing speed, and that in m/s."""

    gap: float = math.inf
    time_to_collision: float = math.inf
    closing: float = 0.0


NOTHING_AHEAD = Ahead()


def ahead(
    tracker: Tracker, own: Box, other: Box, speed: float, velocity: tuple[float, float]
) -> Ahead:
    """Gap and time to collision to `other`, where any of its outline is on the strip that `own` will drive over.

    The strip follows the route for a gap of 50 m and 0.2 m beside the ego on both sides, so that oncoming
    traffic beside a bend is not mistaken for an obstacle; past the route's end it goes straight on, for
    what stands there is hit before the goal. Heights are not looked at.
    """
    route, first = tracker.route, tracker.index
    window = slice(first, first + int((LOOK_AHEAD + own.half_length) / SPACING) + 1)
    x, y, yaw = route.x[window], route.y[window], route.yaw[window]
    room = own.half_width + SIDE_ROOM
    reach = math.hypot(other.half_length, other.half_width) + room + SPACING
    if ((x - other.x) ** 2 + (y - other.y) ** 2).min() > reach * reach:
        return NOTHING_AHEAD
    away, heading = _on_strip(outline(other), x, y, yaw, room)
    away += first * SPACING - tracker.distance
    away[away <= 0.0] = math.inf
    nearest = int(away.argmin())
    gap = max(0.0, float(away[nearest]) - own.half_length)
    if gap > LOOK_AHEAD:
        return NOTHING_AHEAD
    along = float(heading[nearest])
    closing = speed - velocity[0] * math.cos(along) - velocity[1] * math.sin(along)
    return Ahead(gap, gap / closing if closing > 0.1 else math.inf, closing)


def _on_strip(points: Array, x: Array, y: Array, yaw: Array, room: float) -> tuple[Array, Array]:
    """Metres past the first of the route's points, and its heading there, of all that lies within `room` beside it."""
    dx, dy = points[:, :1] - x, points[:, 1:] - y
    cosine, sine = np.cos(yaw), np.sin(yaw)
    forward, right = dx * cosine + dy * sine, dy * cosine - dx * sine
    beside = np.abs(forward) < OVERLAPPING
    beside[:, -1] |= forward[:, -1] > 0.0
    _, at = found = np.nonzero(beside & (np.abs(right) < room))
    return np.append(at * SPACING + forward[found], math.inf), np.append(yaw[at], 0.0)
