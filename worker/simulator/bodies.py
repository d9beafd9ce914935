"""What actors look like: cars, walkers, props and traffic lights as blocks to draw."""

import math
from collections.abc import Iterable, Iterator

from worker.simulator.actors import Actor, TrafficLight, Vehicle, Walker
from worker.simulator.protocol import LightState
from worker.simulator.scenery import Block, Style

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


def blocks(actors: Iterable[Actor]) -> Iterator[Block]:
    """Everything that is drawn of the world's actors."""
    for actor in actors:
        if isinstance(actor, Vehicle):
            yield from _car(actor)
        elif isinstance(actor, TrafficLight):
            yield from _light(actor)
        elif actor.is_solid:
            yield _upright(actor)


def _car(car: Vehicle) -> Iterator[Block]:
    x, y, z, _, degrees, _ = car.pose
    yaw = math.radians(degrees)
    length, width, half = car.size
    color, tag, top = _color(car), car.blueprint.tag, z + 2.0 * half
    if half > 1.2:
        yield Block(x, y, yaw, length, width, z + WHEELS, top, Style.CAR, color, tag)
        return
    belt = z + 2.0 * half * BODY_SHARE
    yield Block(x, y, yaw, length, width, z + WHEELS, belt, Style.CAR, color, tag)
    shift = CABIN_SHIFT * length
    x, y = x + shift * math.cos(yaw), y + shift * math.sin(yaw)
    cabin = (CABIN_LENGTH * length, CABIN_WIDTH * width)
    yield Block(x, y, yaw, *cabin, belt, top, Style.CABIN, color, tag)


def _color(actor: Actor) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(part) for part in actor.attributes["color"].split(","))
    except (KeyError, ValueError):
        return 150, 150, 155
    return red & 255, green & 255, blue & 255


def _light(light: TrafficLight) -> Iterator[Block]:
    x, y, z, _, degrees, _ = light.pose
    yaw = math.radians(degrees)
    yield Block(x, y, yaw, 0.09, 0.09, z, z + POLE_HEIGHT, Style.PLAIN, POLE_COLOR, 6)
    length, width, base, top = HEAD
    yield Block(x, y, yaw, length, width, z + base, z + top, Style.PLAIN, HOUSING_COLOR, 7)
    if lamp := LAMPS.get(light.state):
        middle, color = z + lamp[0], lamp[1]
        # Before the housing, on the side that the waiting traffic sees.
        front = -(length + 0.03)
        x, y = x + front * math.cos(yaw), y + front * math.sin(yaw)
        low, high = middle - LAMP_RADIUS, middle + LAMP_RADIUS
        yield Block(x, y, yaw, 0.02, LAMP_RADIUS, low, high, Style.LAMP, color, 7)


def _upright(actor: Actor) -> Block:
    x, y, z, _, degrees, _ = actor.pose
    length, width, half = actor.size
    color = (60, 75, 120) if isinstance(actor, Walker) else (200, 110, 40)
    tag = actor.blueprint.tag
    yaw = math.radians(degrees)
    return Block(x, y, yaw, length, width, z, z + 2.0 * half, Style.PLAIN, color, tag)
