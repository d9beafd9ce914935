"""Turns a tick into stream messages: the world state first, then what each sensor measured."""

import logging
import math
import time

from worker.simulator.actors import Actor, Sensor
from worker.simulator.errors import MALFORMED
from worker.simulator.protocol import (
    ACTIVE,
    ACTOR,
    EPISODE,
    MAP_CHANGED,
    Stream,
    header,
)
from worker.simulator.sensors import Sensing
from worker.simulator.streams import Streams, Subscriber, frame
from worker.simulator.world import World

log = logging.getLogger(__name__)
ORIGIN = (0.0,) * 6
# Simulated seconds are sums of steps: one that falls short by rounding still counts as reached.
TICK_TOLERANCE = 1e-6


class Publisher:
    """Publishes a world to the subscribers of its streams."""

    def __init__(self, world: World, streams: Streams, sensing: Sensing) -> None:
        self._world = world
        self._streams = streams
        self._sensing = sensing
        self._began = time.monotonic()

    def tick(self) -> None:
        """One frame. State goes first: a client may hold its GIL until it comes, and so block its sensors."""
        self._world.tick()
        state = self.state()
        for stream in self._world.state_streams:
            self._streams.publish(stream, state)
        self._world.map_changed = False
        for actor in tuple(self._world.actors.values()):
            if isinstance(actor, Sensor) and self._is_due(actor):
                self._measure(actor)

    def greet(self, subscriber: Subscriber) -> None:
        """A new client of the world's stream gets the present state at once, not at the next tick.

        One who comes back to a camera gets its present image: that of a tick that came between the cut
        and the return went to nobody, and whoever waits for it would wait for ever.
        """
        if subscriber.stream in self._world.state_streams:
            state = self.state()
            subscriber.send([frame([state]), state])
            return
        for actor in self._world.actors.values():
            if isinstance(actor, Sensor) and actor.stream == subscriber.stream:
                if actor.is_camera and self._has_missed(actor):
                    self._measure(actor, subscriber)
                return

    def _has_missed(self, camera: Sensor) -> bool:
        """Whether a camera that has been watched before has an image of this frame."""
        watched = camera.sent_at > -math.inf
        return watched and (camera.sent_at == self._world.elapsed or self._is_time(camera))

    def state(self) -> bytes:
        """The world state message of the present frame."""
        world = self._world
        seconds = time.monotonic() - self._began
        flags = MAP_CHANGED if world.map_changed else 0
        return b"".join(
            (
                header(Stream.WORLD, world.frame, world.elapsed, ORIGIN),
                EPISODE.pack(world.episode, seconds, world.settings.delta, 0, 0, 0, flags),
                *map(_entry, world.actors.values()),
            )
        )

    def _is_due(self, sensor: Sensor) -> bool:
        watched = bool(sensor.stream) and self._streams.is_watched(sensor.stream)
        return watched and self._is_time(sensor)

    def _is_time(self, sensor: Sensor) -> bool:
        wait = sensor.number("sensor_tick")
        return not wait or self._world.elapsed - sensor.sent_at > wait - TICK_TOLERANCE

    def _measure(self, sensor: Sensor, only: Subscriber | None = None) -> None:
        """Sends to all who watch, or to one. A sensor that cannot measure says nothing: the world goes on for everybody else."""
        assert sensor.kind is not None
        try:
            bodies = list(self._sensing.measure(sensor))
        except MALFORMED as error:
            log.warning("sensor %s (%s) cannot measure: %s", sensor.id, sensor.blueprint.id, error)
            return
        for body in bodies:
            sensor.sent_at = self._world.elapsed
            start = header(sensor.kind, self._world.frame, self._world.elapsed, sensor.pose)
            if only is None:
                self._streams.publish(sensor.stream, start, *body)
            else:
                only.send([frame([start, *body]), start, *body])


def _entry(actor: Actor) -> bytes:
    return ACTOR.pack(
        actor.id,
        ACTIVE,
        *actor.pose,
        *actor.velocity,
        *actor.angular_velocity,
        *actor.acceleration,
        actor.union(),
    )
