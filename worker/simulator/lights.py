"""Traffic lights: groups that give one approach green after the other, and who stands before which."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from worker.simulator.actors import TrafficLight
from worker.simulator.opendrive import Signal
from worker.simulator.pose import Pose
from worker.simulator.protocol import LightState

# A car is "at" a light from where it can still brake before the line to BEYOND metres past it: the
# client's Traffic Manager brakes only, and fully, while it is told that a car is at a light.
NEAREST, BRAKING, BEYOND = 4.5, 7.0, 1.0
ALIGNED = 0.7
CELL = 10.0


@dataclass(eq=False)
class Group:
    """The lights of one junction. Each approach in turn is green, yellow, then red until all is clear."""

    approaches: list[list[TrafficLight]]
    turn: int = 0
    phase: LightState = LightState.GREEN
    elapsed: float = 0.0

    @property
    def lights(self) -> list[TrafficLight]:
        return [light for approach in self.approaches for light in approach]

    def restart(self) -> None:
        self.turn, self.elapsed = 0, 0.0
        self._show(LightState.GREEN)

    def step(self, seconds: float) -> None:
        leading = self.approaches[self.turn][0]
        if leading.frozen:
            return
        self.elapsed += seconds
        limits = {
            LightState.GREEN: leading.green,
            LightState.YELLOW: leading.yellow,
            LightState.RED: leading.red,
        }
        # Sums of time steps fall short of whole seconds by rounding.
        if self.elapsed + 1e-6 >= limits[self.phase]:
            self._advance()
        for light in self.lights:
            light.elapsed = self.elapsed

    def _advance(self) -> None:
        self.elapsed = 0.0
        if self.phase is LightState.GREEN:
            self._show(LightState.YELLOW)
        elif self.phase is LightState.YELLOW:
            self._show(LightState.RED)
        else:
            self.turn = (self.turn + 1) % len(self.approaches)
            self._show(LightState.GREEN)

    def _show(self, phase: LightState) -> None:
        self.phase = phase
        for number, approach in enumerate(self.approaches):
            for light in approach:
                light.state = phase if number == self.turn else LightState.RED


@dataclass(frozen=True)
class _Zone:
    light: TrafficLight
    stop: Pose
    cosine: float
    sine: float
    half_width: float
    reach: float

    def holds(self, x: float, y: float, cosine: float, sine: float) -> bool:
        dx, dy = x - self.stop.x, y - self.stop.y
        along = dx * self.cosine + dy * self.sine
        across = dy * self.cosine - dx * self.sine
        facing = cosine * self.cosine + sine * self.sine
        return (
            -self.reach <= along <= BEYOND
            and -self.half_width <= across <= 1.75
            and facing > ALIGNED
        )


@dataclass(eq=False)
class Lights:
    """All traffic lights of the map."""

    groups: list[Group] = field(default_factory=list)
    _zones: dict[tuple[int, int], list[_Zone]] = field(default_factory=dict)

    @classmethod
    def build(cls, lit: Sequence[tuple[Signal, TrafficLight]]) -> "Lights":
        """Group lights by junction and approach; the order of the map decides the order of the phases."""
        junctions: dict[str, dict[str, list[TrafficLight]]] = defaultdict(dict)
        zones: dict[tuple[int, int], list[_Zone]] = defaultdict(list)
        for signal, light in lit:
            junctions[signal.junction].setdefault(signal.group, []).append(light)
            zone = _zone(signal, light)
            for cell in _cells(zone):
                zones[cell].append(zone)
        lights = cls([Group(list(approaches.values())) for approaches in junctions.values()], zones)
        lights.restart()
        return lights

    def restart(self) -> None:
        """Every group back to the start of its cycle."""
        for group in self.groups:
            group.restart()

    def thaw(self) -> None:
        """Every group back to the start of its cycle, and none held in it."""
        for group in self.groups:
            for light in group.lights:
                light.frozen = False
        self.restart()

    def step(self, seconds: float) -> None:
        for group in self.groups:
            group.step(seconds)

    def group_of(self, light: TrafficLight) -> Group | None:
        return next((group for group in self.groups if light in group.lights), None)

    def before(self, x: float, y: float, cosine: float, sine: float) -> TrafficLight | None:
        """The light a car at (x, y) with that heading has to obey, if it stands before one."""
        for zone in self._zones.get((int(x // CELL), int(y // CELL)), ()):
            if zone.holds(x, y, cosine, sine):
                return zone.light
        return None


def _zone(signal: Signal, light: TrafficLight) -> _Zone:
    yaw = math.radians(signal.stop.yaw)
    # The stop pose lies in the outermost lane; the others of the approach are to its left.
    half_width = max(1.75, signal.width - 1.75)
    reach = NEAREST + (signal.limit / 3.6) ** 2 / (2 * BRAKING)
    return _Zone(light, signal.stop, math.cos(yaw), math.sin(yaw), half_width, reach)


def _cells(zone: _Zone) -> Iterator[tuple[int, int]]:
    xs = [zone.stop.x + along * zone.cosine for along in (-zone.reach, BEYOND)]
    ys = [zone.stop.y + along * zone.sine for along in (-zone.reach, BEYOND)]
    margin = zone.half_width
    for column in range(int((min(xs) - margin) // CELL), int((max(xs) + margin) // CELL) + 1):
        for row in range(int((min(ys) - margin) // CELL), int((max(ys) + margin) // CELL) + 1):
            yield column, row
