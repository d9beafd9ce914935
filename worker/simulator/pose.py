"""Where something is: CARLA's transform and the box around a body."""

import math
from typing import NamedTuple

from worker.simulator.protocol import Wire, numbers


class Pose(NamedTuple):
    """Metres, y to the right; degrees, yaw clockwise seen from above."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    @classmethod
    def read(cls, transform: Wire) -> "Pose":
        """A pose out of a request's Transform; ValueError if it is not one."""
        x, y, z = numbers(transform[0], 3, "location")
        pitch, yaw, roll = numbers(transform[1], 3, "rotation")
        return cls(x, y, z, pitch, half_turn(yaw), roll)

    def wire(self) -> Wire:
        return [[self.x, self.y, self.z], [self.pitch, self.yaw, self.roll]]

    def mount(self, relative: "Pose") -> "Pose":
        """The pose of something fixed at `relative` on a body that stands upright at this one."""
        yaw = math.radians(self.yaw)
        cosine, sine = math.cos(yaw), math.sin(yaw)
        return Pose(
            self.x + cosine * relative.x - sine * relative.y,
            self.y + sine * relative.x + cosine * relative.y,
            self.z + relative.z,
            self.pitch + relative.pitch,
            half_turn(self.yaw + relative.yaw),
            self.roll + relative.roll,
        )


class Box(NamedTuple):
    """A rectangle on the ground: centre, unit vector along its length, half length and half width."""

    x: float
    y: float
    cosine: float
    sine: float
    length: float
    width: float


def half_turn(degrees: float) -> float:
    """The same direction in [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0
