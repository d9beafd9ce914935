"""How much a map may measure: what is absurd is refused before it is sampled, drawn or driven on.

The bounds leave room for a town of several kilometres; beyond them loading would take minutes and gigabytes.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

import numpy as np

from worker.simulator.curves import Array, number
from worker.simulator.errors import MapUnreadable

MOST_BYTES = 64_000_000
# Metres of reference line in a file, points of all its lanes together, and their number.
MOST_ROAD, MOST_POINTS, MOST_LANES = 200_000.0, 1_000_000, 20_000
MOST_SIGNALS = 5_000
# Metres across one lane, square metres of the rectangle around all lanes, metres above or below sea.
WIDEST_LANE, MOST_GROUND, HIGHEST = 50.0, 50e6, 10_000.0
SMALLER = "give a smaller part of the map, or correct the file"


def require_length(roads: Iterable[Element]) -> None:
    """Refuse reference lines that are backwards or too long in all, before any is sampled."""
    total = 0.0
    for road in roads:
        for geometry in road.findall("planView/geometry"):
            length = number(geometry, "length")
            if length < 0.0:
                raise MapUnreadable(
                    f"road {road.get('id')} has a <geometry> of length {length:g} m: give one above 0"
                )
            total += length
    if total > MOST_ROAD:
        raise MapUnreadable(
            f"its roads are {total / 1000:,.0f} km long in all, the simulator takes "
            f"{MOST_ROAD / 1000:,.0f} km: {SMALLER}"
        )


def require_lanes(lanes: int, points: int) -> None:
    """Refuse more lanes, or more points of lanes, than fit in memory and time."""
    for count, most, what in (
        (lanes, MOST_LANES, "lanes"),
        (points, MOST_POINTS, "points of lanes, every half metre,"),
    ):
        if count > most:
            raise MapUnreadable(f"it has more than {most:,} {what} in all: {SMALLER}")


def require_signals(count: int) -> None:
    if count > MOST_SIGNALS:
        raise MapUnreadable(
            f"it has {count:,} signals, the simulator takes {MOST_SIGNALS:,}: {SMALLER}"
        )


def require_lane(name: str, inner: Array, outer: Array, height: Array) -> None:
    """Refuse a lane whose polynomials run away."""
    for values, most, what in (
        (outer - inner, WIDEST_LANE, "wide"),
        (height, HIGHEST, "high"),
    ):
        largest = float(np.abs(values).max())
        # Written so that what is not a number is refused too.
        if not largest <= most:
            raise MapUnreadable(
                f"{name} is {largest:,.4g} m {what}, the simulator takes {most:,.0f} m: "
                "correct its polynomials"
            )


def require_ground(low_x: float, high_x: float, low_y: float, high_y: float) -> None:
    """Refuse a map whose ground would not fit in memory, or whose places are no numbers."""
    width, depth = high_x - low_x, high_y - low_y
    if not width * depth <= MOST_GROUND or not max(width, depth) <= MOST_ROAD:
        raise MapUnreadable(
            f"it covers {width / 1000:,.4g} by {depth / 1000:,.4g} km, the simulator takes "
            f"{MOST_GROUND / 1e6:,.0f} square km: {SMALLER}"
        )
