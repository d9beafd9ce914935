"""A CARLA server this process holds alone: connected, on the wanted map, in synchronous mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import carla

from backend.errors import InvalidConfig

TICK_SECONDS = 0.05
DEFAULT_TIMEOUT = 10.0
# A real server takes that long for a large map.
LOADING_TIMEOUT = 120.0
# Explicit, because the default is one thread per core and each may end up waiting for the GIL.
CLIENT_THREADS = 2


class SimulatorLost(RuntimeError):
    """The simulator did not answer in time or lost its world: build a new environment on a live server."""


@dataclass(frozen=True)
class SimulatorAddress:
    """Where a CARLA server listens, and the port our Traffic Manager may open in this process."""

    host: str
    port: int
    traffic_port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Answering:
    """Turns the client's RuntimeErrors, time-outs above all, into `SimulatorLost`; once lost, stays lost.

    The client never reconnects to a server that was restarted, and reads of a dead one succeed with
    its last state, so going on after the first failure would train on nothing.
    """

    def __init__(self, address: SimulatorAddress) -> None:
        self.address = address
        self.lost = False

    def __enter__(self) -> None:
        if self.lost:
            raise SimulatorLost(f"simulator {self.address} was lost: build a new environment")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if not isinstance(error, RuntimeError):
            return
        self.lost = True
        if not isinstance(error, SimulatorLost):
            raise SimulatorLost(f"simulator {self.address} is lost: {error}") from error


class Connection:
    """Client, world and map of one server. Not for sharing: one environment per world.

    Raises:
        SimulatorLost: no server answers within `timeout` seconds.
        InvalidConfig: the server has no such map or weather.
    """

    def __init__(
        self, address: SimulatorAddress, town: str, *, rendering: bool, timeout: float
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.client = carla.Client(address.host, address.port, CLIENT_THREADS)
        self.client.set_timeout(timeout)
        # get_world() holds the GIL while it waits for a dead server; this call does not.
        self.client.get_server_version()
        self.world = self._enter(town)
        self.map: carla.Map = self.world.get_map()
        self.frame = 0
        self.tick_began: float | None = None
        self.returning = Lock()
        self._synchronise(rendering)
        self._clear()

    def tick(self) -> int:
        """One simulator tick; its frame number.

        `tick_began` tells other threads how long it has taken. Whoever holds `returning` keeps it from
        coming back.
        """
        self.tick_began = monotonic()
        try:
            frame = int(self.world.tick())
        finally:
            with self.returning:
                self.tick_began = None
        self.frame = frame
        return frame

    def _enter(self, town: str) -> carla.World:
        world = self.client.get_world()
        if _short(world.get_map().name) == town:
            return world
        self.require_map("town", town)
        self.client.set_timeout(LOADING_TIMEOUT)
        loaded = self.client.load_world(town)
        self.client.set_timeout(self.timeout)
        return loaded

    def require_map(self, field: str, town: str) -> None:
        """Refuse a map that the server does not have; `field` of the configuration names it."""
        maps = [_short(name) for name in self.client.get_available_maps()]
        if town not in maps:
            raise InvalidConfig({field: f"{self.address} has no map '{town}': choose {maps}"})

    def _clear(self) -> None:
        """A client that died on a server which outlived it has left its vehicles in the way.

        It has left synchronous mode too, in which a new client knows of no actor before the next tick.
        """
        self.tick()
        left = [
            actor.id
            for kind in ("sensor.*", "vehicle.*", "controller.*", "walker.*")
            for actor in self.world.get_actors().filter(kind)
        ]
        self.destroy(left)

    def destroy(self, actors: Sequence[int]) -> None:
        """In one call: a server that is silent costs one time-out, and `actor.destroy()` would keep it quiet."""
        self.client.apply_batch_sync([carla.command.DestroyActor(actor) for actor in actors], False)

    def _synchronise(self, rendering: bool) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = TICK_SECONDS
        settings.no_rendering_mode = not rendering
        self.world.apply_settings(settings)

    def set_weather(self, name: str) -> None:
        """Applies a preset of `carla.WeatherParameters` and reads back that the server has it."""
        presets = {
            key: value
            for key, value in vars(carla.WeatherParameters).items()
            if isinstance(value, carla.WeatherParameters)
        }
        if name not in presets:
            raise InvalidConfig(
                {"weather": f"no preset '{name}': choose one of {', '.join(sorted(presets))}"}
            )
        self.world.set_weather(presets[name])
        self.tick()
        if self.world.get_weather() != presets[name]:
            raise SimulatorLost(f"simulator {self.address} did not apply weather {name}")

    def close(self) -> None:
        """Leaves the server free-running, as it was found."""
        settings = self.world.get_settings()
        settings.synchronous_mode = False
        settings.fixed_delta_seconds = None
        settings.no_rendering_mode = False
        self.world.apply_settings(settings)


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
