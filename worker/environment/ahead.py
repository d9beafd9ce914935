"""The nearest vehicle on the route ahead. Pure."""

import math
from typing import NamedTuple

from worker.environment.boxes import Box
from worker.environment.route import SPACING, Tracker

LOOK_AHEAD = 50.0
# Sideways room a vehicle needs beyond both half widths not to be in the way.
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
    """Gap and time to collision to `other` where its centre lies on the next 50 m of the route.

    Measured along the route, so oncoming traffic beside a bend is not mistaken for an obstacle.
    """
    route, first = tracker.route, tracker.index
    window = slice(first, first + int(LOOK_AHEAD / SPACING))
    squares = (route.x[window] - other.x) ** 2 + (route.y[window] - other.y) ** 2
    nearest = int(squares.argmin())
    room = own.half_width + other.half_width + SIDE_ROOM
    if nearest == 0 or squares[nearest] > room * room:
        return NOTHING_AHEAD
    heading = float(route.yaw[first + nearest])
    along = (first + nearest) * SPACING - tracker.distance
    gap = max(0.0, along - own.half_length - other.half_length)
    closing = speed - (velocity[0] * math.cos(heading) + velocity[1] * math.sin(heading))
    return Ahead(gap, gap / closing if closing > 0.1 else math.inf, closing)
