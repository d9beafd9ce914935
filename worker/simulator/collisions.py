"""Contact between bodies: oriented rectangles on the ground, and what a blow does to their speed."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from worker.simulator.actors import Actor
from worker.simulator.pose import Box

CELL = 20.0


class Touch(NamedTuple):
    """Two boxes overlap: the unit vector from the first to the second, and how deep, in metres."""

    x: float
    y: float
    depth: float


@dataclass(frozen=True, eq=False)
class Contact:
    """One body has hit another in this tick; the impulse in newton seconds acts on `actor`."""

    actor: Actor
    other: Actor
    impulse: tuple[float, float, float]


def touch(a: Box, b: Box) -> Touch | None:
    """The shallowest overlap of two rectangles (separating axes), None if they are apart."""
    dx, dy = b.x - a.x, b.y - a.y
    reach = a.length + a.width + b.length + b.width
    if dx * dx + dy * dy > reach * reach:
        return None
    best: Touch | None = None
    for x, y in ((a.cosine, a.sine), (-a.sine, a.cosine), (b.cosine, b.sine), (-b.sine, b.cosine)):
        distance = dx * x + dy * y
        depth = _shadow(a, x, y) + _shadow(b, x, y) - abs(distance)
        if depth <= 0.0:
            return None
        if best is None or depth < best.depth:
            sign = math.copysign(1.0, distance)
            best = Touch(sign * x, sign * y, depth)
    return best


def _shadow(box: Box, x: float, y: float) -> float:
    """Half the length of the box's projection on an axis."""
    return box.length * abs(box.cosine * x + box.sine * y) + box.width * abs(
        box.cosine * y - box.sine * x
    )


class StaticGrid:
    """Bodies that never move, by cell, so that a car is held only against those around it."""

    def __init__(self, bodies: Iterable[Actor]) -> None:
        self._cells: dict[tuple[int, int], list[tuple[Actor, Box]]] = defaultdict(list)
        for body in bodies:
            box = body.box
            reach = math.hypot(box.length, box.width)
            for cell in _cells(box.x, box.y, reach):
                self._cells[cell].append((body, box))

    def near(self, box: Box) -> Sequence[tuple[Actor, Box]]:
        """Bodies that may touch a box not longer than a cell; one that spans cells may come twice."""
        if not self._cells:
            return ()
        reach = math.hypot(box.length, box.width)
        found: list[tuple[Actor, Box]] = []
        for cell in _cells(box.x, box.y, reach):
            found.extend(self._cells.get(cell, ()))
        return found


def _cells(x: float, y: float, reach: float) -> Iterator[tuple[int, int]]:
    for column in range(math.floor((x - reach) / CELL), math.floor((x + reach) / CELL) + 1):
        for row in range(math.floor((y - reach) / CELL), math.floor((y + reach) / CELL) + 1):
            yield column, row


def pairs(bodies: Sequence[Actor]) -> Iterator[tuple[Actor, Actor]]:
    """Pairs of bodies close enough to touch, in a fixed order: a sweep along x."""
    order = sorted(
        ((body.pose.x - reach(body), body.pose.x + reach(body), i) for i, body in enumerate(bodies))
    )
    for position, (_, end, i) in enumerate(order):
        for start, _, j in order[position + 1 :]:
            if start > end:
                break
            if abs(bodies[i].pose.y - bodies[j].pose.y) < reach(bodies[i]) + reach(bodies[j]):
                first, second = min(i, j), max(i, j)
                yield bodies[first], bodies[second]


def reach(body: Actor) -> float:
    """Metres from the body's middle to its farthest corner, rounded up."""
    return body.size.length + body.size.width


def blow(a: Actor, b: Actor, contact: Touch) -> float:
    """The impulse along the contact that ends their closing (a plastic blow), 0 if they separate."""
    closing = (a.velocity[0] - b.velocity[0]) * contact.x + (
        a.velocity[1] - b.velocity[1]
    ) * contact.y
    return max(0.0, closing) * a.mass * b.mass / (a.mass + b.mass)
