"""Oriented rectangles on the ground, for telling whether two vehicles can be in contact."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A long side of a car in pieces of about 0.6 m, a short one of 0.5 m.
_LONG, _SHORT = np.linspace(-1.0, 1.0, 9), np.linspace(-1.0, 1.0, 5)
_OUTLINE = np.concatenate(
    [
        *(np.stack([_LONG, np.full(9, side)], axis=1) for side in (-1.0, 1.0)),
        *(np.stack([np.full(5, side), _SHORT], axis=1) for side in (-1.0, 1.0)),
    ]
)


class Box(NamedTuple):
    """Centre and half sizes in metres, yaw in radians."""

    x: float
    y: float
    yaw: float
    half_length: float
    half_width: float


def outline(box: Box) -> NDArray[np.float64]:
    """(28, 2) points on its sides, corners and what lies between them."""
    along, across = (_OUTLINE * (box.half_length, box.half_width)).T
    cosine, sine = math.cos(box.yaw), math.sin(box.yaw)
    return np.stack(
        [box.x + along * cosine - across * sine, box.y + along * sine + across * cosine], axis=1
    )


def overlap(a: Box, b: Box, margin: float = 0.0) -> bool:
    """Whether the rectangles come within `margin` of each other on every axis of either (separating axes)."""
    dx, dy = b.x - a.x, b.y - a.y
    reach = math.hypot(a.half_length, a.half_width) + math.hypot(b.half_length, b.half_width)
    if math.hypot(dx, dy) > reach + margin:
        return False
    for yaw in (a.yaw, a.yaw + math.pi / 2, b.yaw, b.yaw + math.pi / 2):
        distance = abs(dx * math.cos(yaw) + dy * math.sin(yaw))
        if distance > _extent(a, yaw) + _extent(b, yaw) + margin:
            return False
    return True


def _extent(box: Box, yaw: float) -> float:
    """Half the length of the rectangle's shadow on an axis."""
    turn = box.yaw - yaw
    return abs(box.half_length * math.cos(turn)) + abs(box.half_width * math.sin(turn))
