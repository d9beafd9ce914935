"""What actors look like: cars, walkers, props and traffic lights as blocks to draw."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from worker.simulator.actors import Actor, TrafficLight, Vehicle, Walker
from worker.simulator.blocks import Blocks
from worker.simulator.curves import Array
from worker.simulator.protocol import LightState
from worker.simulator.scenery import Style

Color = tuple[int, int, int]
POLE_COLOR, HOUSING_COLOR = (88, 92, 92), (38, 40, 36)
POLE_HEIGHT = 4.4
HEAD = (0.22, 0.26, 2.9, 4.3)
# Middle height and colour of the lamp that is lit.
LAMPS = {
    LightState.RED: (4.02, (255, 40, 30)),
    LightState.YELLOW: (3.60, (255, 200, 40)),
    LightState.GREEN: (3.18, (60, 255, 110)),
}
LAMP_RADIUS = 0.18
# A car's body ends below its windows; the cabin stands on it, shorter and narrower.
BODY_SHARE, CABIN_LENGTH, CABIN_WIDTH, CABIN_SHIFT = 0.60, 0.52, 0.88, -0.10
WHEELS = 0.18
# Half a height above which a vehicle is a lorry: one block.
TALL = 1.2


class Part(NamedTuple):
    """A block of a body in the body's own frame: how far ahead of its middle, half sizes, heights, looks."""

    ahead: float
    length: float
    width: float
    base: float
    top: float
    style: Style
    color: Color
    tag: int


class Bodies:
    """The moving world as blocks. What it is made of is worked out when someone comes, goes or changes light."""

    def __init__(self) -> None:
        self._made_of: tuple[tuple[int, int], ...] | None = None

    def blocks(self, actors: Iterable[Actor]) -> Blocks:
        drawn = [actor for actor in actors if actor.is_solid]
        made_of = tuple(
            (actor.id, actor.state if isinstance(actor, TrafficLight) else 0) for actor in drawn
        )
        if made_of != self._made_of:
            self._take_apart(drawn)
            self._made_of = made_of
        numbers = chain.from_iterable(actor.pose for actor in drawn)
        poses = np.fromiter(numbers, np.float64, 6 * len(drawn)).reshape(-1, 6)
        return self._put_together(poses[self._owner])

    def _take_apart(self, drawn: Sequence[Actor]) -> None:
        parts = [(number, part) for number, actor in enumerate(drawn) for part in _parts(actor)]
        self._owner = np.array([number for number, _ in parts], dtype=np.intp)
        sizes = np.array([part[:5] for _, part in parts], dtype=np.float64).reshape(-1, 5)
        self._ahead, self._sizes = sizes[:, 0], sizes[:, 1:]
        self._style = np.array([part.style for _, part in parts], dtype=np.intp)
        self._color = np.array([part.color for _, part in parts], dtype=np.float32).reshape(-1, 3)
        self._tag = np.array([part.tag for _, part in parts], dtype=np.intp)

    def _put_together(self, poses: Array) -> Blocks:
        yaw = np.radians(poses[:, 4])
        shape = np.empty((len(poses), 8), dtype=np.float32)
        cosine, sine = np.cos(yaw), np.sin(yaw)
        shape[:, 0] = poses[:, 0] + self._ahead * cosine
        shape[:, 1] = poses[:, 1] + self._ahead * sine
        shape[:, 2], shape[:, 3] = cosine, sine
        shape[:, 4:] = self._sizes
        shape[:, 6:] += poses[:, 2:3]
        nowhere = np.zeros(len(poses), np.float32)
        return Blocks(shape, yaw.astype(np.float32), self._style, self._color, self._tag, nowhere)


def _parts(actor: Actor) -> Iterator[Part]:
    if isinstance(actor, Vehicle):
        yield from _car(actor)
    elif isinstance(actor, TrafficLight):
        yield from _light(actor)
    else:
        length, width, half = actor.size
        color = (60, 75, 120) if isinstance(actor, Walker) else (200, 110, 40)
        yield Part(0.0, length, width, 0.0, 2.0 * half, Style.PLAIN, color, actor.blueprint.tag)


def _car(car: Vehicle) -> Iterator[Part]:
    length, width, half = car.size
    color, tag, top = _color(car), car.blueprint.tag, 2.0 * half
    if half > TALL:
        yield Part(0.0, length, width, WHEELS, top, Style.CAR, color, tag)
        return
    belt = top * BODY_SHARE
    yield Part(0.0, length, width, WHEELS, belt, Style.CAR, color, tag)
    cabin = (CABIN_SHIFT * length, CABIN_LENGTH * length, CABIN_WIDTH * width)
    yield Part(*cabin, belt, top, Style.CABIN, color, tag)


def _color(actor: Actor) -> Color:
    try:
        red, green, blue = (int(part) for part in actor.attributes["color"].split(","))
    except (KeyError, ValueError):
        return 150, 150, 155
    return red & 255, green & 255, blue & 255


def _light(light: TrafficLight) -> Iterator[Part]:
    yield Part(0.0, 0.09, 0.09, 0.0, POLE_HEIGHT, Style.PLAIN, POLE_COLOR, 6)
    yield Part(0.0, *HEAD, Style.PLAIN, HOUSING_COLOR, 7)
    if lamp := LAMPS.get(light.state):
        middle, color = lamp
        # Before the housing, on the side that the waiting traffic sees.
        ahead, low, high = -(HEAD[0] + 0.03), middle - LAMP_RADIUS, middle + LAMP_RADIUS
        yield Part(ahead, 0.02, LAMP_RADIUS, low, high, Style.LAMP, color, 7)
