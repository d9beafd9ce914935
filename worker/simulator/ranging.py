"""Sensors that measure distances: the rotating lidar and the obstacle detector."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from worker.simulator.actors import Actor, Sensor
from worker.simulator.blocks import Blocks, cast
from worker.simulator.bodies import Bodies
from worker.simulator.collisions import touch
from worker.simulator.pose import Box
from worker.simulator.protocol import LIDAR
from worker.simulator.world import World

LAYERS = 4
# CARLA's atmosphere: the share of a pulse that comes back falls with this rate per metre.
ATTENUATION = 0.004
Points = NDArray[np.float32]


class Lidar:
    """Sweeps of one lidar: each tick goes on where the last one ended."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._angle = 0.0
        self._bodies = Bodies()
        self._channels = int(sensor.number("channels"))
        low, high = sensor.number("lower_fov"), sensor.number("upper_fov")
        elevations = np.radians(np.linspace(high, low, self._channels))
        self._slopes = np.tan(np.clip(elevations, -1.55, 1.55)).astype(np.float32)[:, None]

    def sweep(self, world: World, fixed: Blocks, seconds: float) -> tuple[bytes, bytes]:
        """One message: head with the points per channel, then x, y, z, intensity of each point."""
        sensor = self._sensor
        pulses = int(sensor.number("points_per_second") * seconds / self._channels)
        turn = min(math.tau, math.tau * sensor.number("rotation_frequency") * seconds)
        angles = self._angle + np.arange(max(1, pulses), dtype=np.float32) * (turn / max(1, pulses))
        self._angle = (self._angle + turn) % math.tau
        distance = self._distances(world, fixed, angles)
        reach = distance * np.sqrt(1.0 + self._slopes**2)
        seen = reach <= sensor.number("range")
        points = _points(angles, distance, self._slopes, reach)[seen]
        counts = seen.sum(axis=1).astype("<u4")
        head = LIDAR.pack(self._angle, self._channels) + counts.tobytes()
        return head, points.astype("<f4").tobytes()

    def _distances(self, world: World, fixed: Blocks, angles: Points) -> Points:
        """Horizontal metres to what each pulse meets first, infinite for the sky."""
        pose = self._sensor.pose
        eye = pose.z - world.map.ground.height(pose.x, pose.y)
        with np.errstate(divide="ignore"):
            ground = np.where(self._slopes < 0.0, -eye / self._slopes, np.inf)
        distance = np.repeat(ground, len(angles), axis=1)
        blocks = fixed.joined(self._bodies.blocks(world.actors.values()))
        blocks = blocks.in_view(pose.x, pose.y, 0.0, math.pi)
        directions = angles + np.float32(math.radians(pose.yaw))
        ring = cast(blocks, pose.x, pose.y, directions, LAYERS)
        if ring is None:
            return distance.astype(np.float32)
        shape = blocks.shape[ring.block]
        for near, low, high in zip(ring.near, shape[..., 6], shape[..., 7], strict=True):
            height = eye + self._slopes * np.where(np.isfinite(near), near, np.float32(1e6))
            met = (height >= low) & (height <= high) & (near < distance)
            distance = np.where(met, near, distance)
        return distance.astype(np.float32)


def _points(angles: Points, distance: Points, slopes: Points, reach: Points) -> Points:
    """(channels, pulses, 4) in the sensor's own frame."""
    intensity = np.exp(-ATTENUATION * reach)
    with np.errstate(invalid="ignore"):
        columns = (distance * np.cos(angles), distance * np.sin(angles), distance * slopes)
    return np.stack([*columns, intensity], axis=-1)


def obstacle(sensor: Sensor, actors: Iterable[Actor]) -> tuple[Actor, float] | None:
    """The nearest body in the corridor before the sensor, and the metres to it."""
    reach, radius = sensor.number("distance"), sensor.number("hit_radius")
    yaw = math.radians(sensor.pose.yaw)
    cosine, sine = math.cos(yaw), math.sin(yaw)
    x, y = sensor.pose.x + cosine * reach / 2, sensor.pose.y + sine * reach / 2
    corridor = Box(x, y, cosine, sine, reach / 2, max(radius, 0.01))
    found = [
        (_gap(sensor, actor, cosine, sine), actor)
        for actor in actors
        if actor.is_solid and actor is not sensor.parent and touch(corridor, actor.box)
    ]
    if not found:
        return None
    gap, nearest = min(found, key=lambda pair: (pair[0], pair[1].id))
    return nearest, gap


def _gap(sensor: Sensor, actor: Actor, cosine: float, sine: float) -> float:
    box = actor.box
    along = (box.x - sensor.pose.x) * cosine + (box.y - sensor.pose.y) * sine
    half = box.length * abs(box.cosine * cosine + box.sine * sine)
    half += box.width * abs(box.cosine * sine - box.sine * cosine)
    return max(0.0, along - half)
