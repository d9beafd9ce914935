"""The ego's camera and collision sensor, read in step with the simulator's frames."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import carla
import numpy as np
from numpy.typing import NDArray

from worker.environment.connection import SimulatorLost

# Domain: 2.0 m ahead of the vehicle's origin, 1.5 m above the road.
CAMERA_POSE = (2.0, 1.5)
FIELD_OF_VIEW = 90


class Camera:
    """Front RGB camera. Images arrive on a client thread, often after tick() has returned."""

    def __init__(self, world: carla.World, ego: carla.Actor, width: int, height: int) -> None:
        blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
        for name, value in (
            ("image_size_x", width),
            ("image_size_y", height),
            ("fov", FIELD_OF_VIEW),
        ):
            blueprint.set_attribute(name, str(value))
        x, z = CAMERA_POSE
        self._images: SimpleQueue[Any] = SimpleQueue()
        self.actor = world.spawn_actor(
            blueprint, carla.Transform(carla.Location(x=x, z=z)), attach_to=ego
        )
        self.actor.listen(self._images.put)
        self._shape = (height, width, 4)
        self.last: NDArray[np.uint8] = np.zeros(self._shape, dtype=np.uint8)

    def await_stream(self, tick: Callable[[], int], timeout: float) -> None:
        """Ticks until images come: the client subscribes in the background, and a frame that was
        rendered before it had is never sent.

        Raises:
            SimulatorLost: none came within `timeout` seconds.
        """
        deadline = monotonic() + timeout
        while monotonic() < deadline:
            tick()
            with suppress(Empty):
                self._images.get(timeout=0.1)
                return
        raise SimulatorLost(f"the camera sent no image within {timeout:g} s")

    def image(self, frame: int, timeout: float) -> NDArray[np.uint8]:
        """The (height, width, 4) BGRA image of `frame`; older ones are dropped.

        Raises:
            SimulatorLost: it did not come within `timeout` seconds.
        """
        while True:
            try:
                image = self._images.get(timeout=timeout)
            except Empty:
                raise SimulatorLost(
                    f"no camera image of frame {frame} within {timeout:g} s"
                ) from None
            if image.frame >= frame:
                data = np.frombuffer(image.raw_data, dtype=np.uint8)
                self.last = data.reshape(self._shape)
                return self.last

    def stop(self) -> None:
        self.actor.stop()


class CollisionSensor:
    """Tells whether the ego has hit something since `arm`.

    Its events carry no "nothing happened", so there is nothing to wait for in an ordinary tick. Only
    while the caller expects a contact does `hit` give the event time to arrive, which keeps the tick a
    collision is counted on the same from run to run; and only for some ticks, lest cars that stand
    bumper to bumper in a queue slow the clock down.
    """

    GRACE = 0.1
    PATIENCE = 10

    def __init__(self, world: carla.World, ego: carla.Actor) -> None:
        blueprint = world.get_blueprint_library().find("sensor.other.collision")
        self._events: SimpleQueue[Any] = SimpleQueue()
        self.actor = world.spawn_actor(blueprint, carla.Transform(), attach_to=ego)
        self.actor.listen(self._events.put)
        self._armed_at = 0
        self._patience = self.PATIENCE

    def arm(self, frame: int) -> None:
        """Forget contacts up to `frame`."""
        self._armed_at = frame
        self._patience = self.PATIENCE

    def hit(self, expected: bool) -> bool:
        self._patience = self._patience - 1 if expected else self.PATIENCE
        return self._waited(self.GRACE if expected and self._patience >= 0 else 0.0)

    def _waited(self, seconds: float) -> bool:
        try:
            while True:
                event = self._events.get(block=seconds > 0, timeout=seconds)
                if event.frame > self._armed_at:
                    return True
        except Empty:
            return False

    def stop(self) -> None:
        self.actor.stop()
