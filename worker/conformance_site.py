"""A CARLA server under test: connected, ticking, and cleared of what a check has put on it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import carla

from worker.environment.alarm import STUCK_SECONDS, wake

DELTA = 0.05
PATIENCE = 10.0
CAR = "vehicle.tesla.model3"
# A real server drops a car onto its wheels.
SETTLE_TICKS = 10
STREAM_SECONDS = 0.3


class NotConforming(Exception):
    """The server answered, but not as CARLA does; the message says what was seen."""


@dataclass
class Site:
    """A server under test, in synchronous mode, and what the checks have put on it."""

    host: str
    port: int
    client: carla.Client = field(init=False)
    world: carla.World = field(init=False)
    spawned: list[carla.Actor] = field(default_factory=list)
    ticking_since: float | None = None

    def connect(self) -> None:
        self.client = carla.Client(self.host, self.port, 2)
        self.client.set_timeout(PATIENCE)
        # Unlike get_world(), this does not hold the GIL while it waits for a dead server.
        self.client.get_server_version()
        self.world = self.client.get_world()

    def synchronise(self, on: bool) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = on
        settings.fixed_delta_seconds = DELTA if on else None
        self.world.apply_settings(settings)

    def tick(self, count: int = 1) -> int:
        frame = 0
        for _ in range(count):
            self.ticking_since = time.monotonic()
            frame = self.world.tick()
            self.ticking_since = None
        return frame

    @contextmanager
    def awake(self, traffic_port: int) -> Iterator[None]:
        """Keep ticks from waiting for ever for a Traffic Manager that lost its notification."""
        over = Event()

        def watch() -> None:
            while not over.wait(STUCK_SECONDS / 4):
                since = self.ticking_since
                if since is not None and time.monotonic() - since > STUCK_SECONDS:
                    wake(traffic_port)

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        yield
        over.set()
        watcher.join()

    def spawn(self, name: str, transform: carla.Transform, **attributes: object) -> carla.Actor:
        blueprint = self.world.get_blueprint_library().find(name)
        parent = attributes.pop("parent", None)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        actor = self.world.spawn_actor(blueprint, transform, attach_to=parent)
        self.spawned.append(actor)
        return actor

    def car(self, point: int = 0) -> carla.Actor:
        """A settled car on a spawn point, braked."""
        car = self.spawn(CAR, self.world.get_map().get_spawn_points()[point])
        car.apply_control(carla.VehicleControl(brake=1.0))
        self.tick(SETTLE_TICKS)
        return car

    def listen(self, sensor: carla.Actor) -> "SimpleQueue[Any]":
        """What the sensor sends; its stream is open when this returns."""
        queue: SimpleQueue[Any] = SimpleQueue()
        sensor.listen(queue.put)
        time.sleep(STREAM_SECONDS)
        return queue

    def clear(self) -> None:
        """Stop sensors first: destroying one that still sends can end the client process."""
        for actor in self.spawned:
            if isinstance(actor, carla.Sensor) and actor.is_listening:
                actor.stop()
        for actor in reversed(self.spawned):
            if actor.is_alive:
                actor.destroy()
        self.spawned.clear()
        self.tick()


def require(condition: bool, seen: str) -> None:
    if not condition:
        raise NotConforming(seen)


def receive(queue: "SimpleQueue[Any]", frame: int, what: str) -> Any:
    """The measurement of that frame or a later one."""
    try:
        while (measured := queue.get(timeout=PATIENCE)).frame < frame:
            continue
    except Empty:
        raise NotConforming(f"no {what} for frame {frame} within {PATIENCE:.0f} s") from None
    return measured
