"""The nearest vehicle on the route ahead. Pure."""

import math
from typing import NamedTuple

import numpy as np

from worker.environment.boxes import Box, outline
from worker.environment.route import SPACING, Tracker

LOOK_AHEAD = 50.0
# Sideways room the ego needs beyond its half width.
SIDE_ROOM = 0.2


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
    what stands there is hit before the goal.
    """
    x, y, yaw = tracker.route.continued
    window = slice(tracker.index, tracker.index + int((LOOK_AHEAD + own.half_length) / SPACING) + 1)
    x, y, yaw = x[window], y[window], yaw[window]
    side = own.half_width + SIDE_ROOM
    reach = math.hypot(other.half_length, other.half_width) + side + SPACING
    if ((x - other.x) ** 2 + (y - other.y) ** 2).min() > reach * reach:
        return NOTHING_AHEAD
    points = outline(other)
    dx, dy = points[:, :1] - x, points[:, 1:] - y
    nearest = (dx * dx + dy * dy).argmin(axis=1)
    every = np.arange(len(points))
    dx, dy = dx[every, nearest], dy[every, nearest]
    cosine, sine = np.cos(yaw[nearest]), np.sin(yaw[nearest])
    away = (tracker.index + nearest) * SPACING + dx * cosine + dy * sine - tracker.distance
    in_way = (np.abs(dy * cosine - dx * sine) < side) & (away > 0.0)
    if not in_way.any():
        return NOTHING_AHEAD
    first = int(np.where(in_way, away, np.inf).argmin())
    gap = max(0.0, float(away[first]) - own.half_length)
    if gap > LOOK_AHEAD:
        return NOTHING_AHEAD
    closing = speed - float(velocity[0] * cosine[first] + velocity[1] * sine[first])
    return Ahead(gap, gap / closing if closing > 0.1 else math.inf, closing)
