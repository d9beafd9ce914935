"""What sensors measure, as the bodies of their stream messages."""

import math
from collections.abc import Callable, Iterator, Sequence

import msgpack
import numpy as np

from worker.simulator.actors import Actor, Sensor
from worker.simulator.blocks import Blocks
from worker.simulator.camera import Cameras
from worker.simulator.geodesy import Geodesy
from worker.simulator.protocol import CAMERA, Stream, Wire
from worker.simulator.ranging import Lidar, obstacle
from worker.simulator.world import World

GRAVITY = 9.81
Body = tuple[bytes | memoryview, ...]


class Sensing:
    """Measures for sensors of one world."""

    def __init__(self, world: World, wire: Callable[[Actor], Wire]) -> None:
        self._world = world
        self._wire = wire
        self._cameras = Cameras(world)
        self._noise: dict[int, np.random.Generator] = {}
        self._lidars: dict[int, Lidar] = {}
        # The scenery of an episode as arrays.
        self._fixed: tuple[int, Blocks] | None = None
        self._kinds: dict[Stream, Callable[[Sensor], Iterator[Body]]] = {
            Stream.RGB: self._image,
            Stream.DEPTH: self._image,
            Stream.SEMANTIC: self._image,
            Stream.COLLISION: self._collisions,
            Stream.IMU: self._imu,
            Stream.GNSS: self._gnss,
            Stream.LIDAR: self._lidar,
            Stream.OBSTACLE: self._obstacle,
        }

    def prepare(self, actor: Actor) -> None:
        """Draw the ground for the first camera now: its first tick would take too long otherwise."""
        if isinstance(actor, Sensor) and actor.is_camera and not self._is_blind:
            self._cameras.prepare(actor)

    @property
    def _is_blind(self) -> bool:
        return self._world.settings.no_rendering

    def measure(self, sensor: Sensor) -> Sequence[Body]:
        """The messages it sends for this frame, each in parts; often none."""
        assert sensor.kind is not None
        return tuple(self._kinds[sensor.kind](sensor))

    def _image(self, sensor: Sensor) -> Iterator[Body]:
        if self._is_blind:
            return
        width, height = int(sensor.number("image_size_x")), int(sensor.number("image_size_y"))
        yield CAMERA.pack(width, height, sensor.number("fov")), self._cameras.render(sensor)

    def _collisions(self, sensor: Sensor) -> Iterator[Body]:
        for contact in self._world.contacts:
            if contact.actor is sensor.parent:
                wires = [self._wire(contact.actor), self._wire(contact.other)]
                yield (msgpack.packb([*wires, list(contact.impulse)]),)

    def _imu(self, sensor: Sensor) -> Iterator[Body]:
        carrier = sensor.parent or sensor
        yaw = math.radians(sensor.pose.yaw)
        cosine, sine = math.cos(yaw), math.sin(yaw)
        ax, ay, az = carrier.acceleration
        felt = [ax * cosine + ay * sine, ay * cosine - ax * sine, az + GRAVITY]
        turn = [math.radians(rate) for rate in carrier.angular_velocity]
        for i, axis in enumerate("xyz"):
            felt[i] += self._draw(sensor, f"noise_accel_stddev_{axis}")
            turn[i] += self._draw(sensor, f"noise_gyro_stddev_{axis}")
            turn[i] += sensor.number(f"noise_gyro_bias_{axis}")
        # North is at yaw -90 degrees.
        yield (msgpack.packb([felt, turn, (yaw + math.pi / 2) % math.tau]),)

    def _gnss(self, sensor: Sensor) -> Iterator[Body]:
        pose = sensor.pose
        place = list(Geodesy.of(self._world.map.text).locate(pose.x, pose.y, pose.z))
        for i, axis in enumerate(("lat", "lon", "alt")):
            place[i] += sensor.number(f"noise_{axis}_bias")
            place[i] += self._draw(sensor, f"noise_{axis}_stddev")
        yield (msgpack.packb(place),)

    def _lidar(self, sensor: Sensor) -> Iterator[Body]:
        world = self._world
        if self._fixed is None or self._fixed[0] != world.episode:
            self._fixed = world.episode, Blocks.of(world.scenery.blocks)
        lidar = self._lidars.setdefault(sensor.id, Lidar(sensor))
        yield lidar.sweep(world, self._fixed[1], world.settings.delta)

    def _obstacle(self, sensor: Sensor) -> Iterator[Body]:
        carrier = sensor.parent or sensor
        if found := obstacle(sensor, self._world.actors.values()):
            other, distance = found
            yield (msgpack.packb([self._wire(carrier), self._wire(other), distance]),)

    def _draw(self, sensor: Sensor, name: str) -> float:
        """Noise of a sensor's own generator, so that it does not depend on who else draws."""
        deviation = sensor.number(name)
        if not deviation:
            return 0.0
        generator = self._noise.get(sensor.id)
        if generator is None:
            seed = abs(int(sensor.number("noise_seed")))
            generator = self._noise[sensor.id] = np.random.default_rng(seed)
        return deviation * float(generator.standard_normal())
