"""Where each pixel of a camera looks, worked out once per kind of camera."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

FARTHEST = 600.0
MOST_BINS = 1024


@dataclass(frozen=True)
class Lens:
    """What decides a camera's rays: pixels, horizontal field of view in degrees, tilt, metres above ground."""

    width: int
    height: int
    fov: float
    pitch: float
    roll: float
    above: float

    @property
    def focal(self) -> float:
        return self.width / 2.0 / math.tan(math.radians(self.fov) / 2.0)


class Rays:
    """Rays of a lens in the frame of its own yaw.

    Attributes:
        slope: (height, width) rise per horizontal metre.
        forward: horizontal metres per metre of depth (along the optical axis), inverted: depth = distance * forward.
        bins: (n,) yaw of the ring's rays relative to the camera; `bin` the ray of each pixel, with a
            leading axis of 1 where a whole column shares one, as in every level camera.
        ground: flat indices of pixels that see ground; `ahead`, `right` where, in metres; `footprint` how
            many metres such a pixel covers.
    """

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        x, y, z = _directions(lens)
        flat = np.maximum(np.hypot(x, y), 1e-6)
        self.slope: Floats = (z / flat).astype(np.float32)
        self.forward: Floats = (1.0 / flat).astype(np.float32)
        self._set_bins(np.arctan2(y, x), level=lens.pitch == 0.0 and lens.roll == 0.0)
        self._set_ground(x / flat, y / flat)

    def _set_bins(self, yaw: NDArray[np.float64], *, level: bool) -> None:
        if level:
            self.bins: Floats = yaw[0].astype(np.float32)
            self.bin: Indices = np.arange(self.lens.width)[None]
            return
        low, high = float(yaw.min()), float(yaw.max())
        count = min(MOST_BINS, 2 * self.lens.width)
        self.bins = np.linspace(low, high, count, dtype=np.float32)
        step = max((high - low) / (count - 1), 1e-9)
        self.bin = np.rint((yaw - low) / step).astype(np.intp)

    def _set_ground(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        with np.errstate(divide="ignore"):
            distance = self.lens.above / -self.slope.astype(np.float64)
        seen = (self.slope < 0.0) & (distance <= FARTHEST) & (distance >= 0.0)
        self.ground: Indices = np.flatnonzero(seen)
        reach = distance[seen]
        self.ground_distance: Floats = reach.astype(np.float32)
        self.ahead: Floats = (reach * x[seen]).astype(np.float32)
        self.right: Floats = (reach * y[seen]).astype(np.float32)
        across = np.hypot(reach, self.lens.above) / self.lens.focal
        along = across * np.hypot(reach, self.lens.above) / max(self.lens.above, 0.1)
        self.footprint: Floats = np.sqrt(across * np.minimum(along, 6.0 * across)).astype(
            np.float32
        )

    @property
    def ground_part(self) -> Indices | slice:
        """The ground pixels as a slice where they follow each other: slices are cheaper to write."""
        if len(self.ground) and self.ground[-1] - self.ground[0] + 1 == len(self.ground):
            return slice(int(self.ground[0]), int(self.ground[-1]) + 1)
        return self.ground


def _directions(lens: Lens) -> tuple[NDArray[np.float64], ...]:
    """Unit depth rays: x ahead, y right, z up."""
    right = (np.arange(lens.width) + 0.5 - lens.width / 2.0)[None] / lens.focal
    up = -(np.arange(lens.height) + 0.5 - lens.height / 2.0)[:, None] / lens.focal
    right, up = np.broadcast_arrays(right, up)
    roll, pitch = math.radians(lens.roll), math.radians(lens.pitch)
    y = right * math.cos(roll) + up * math.sin(roll)
    tilted = up * math.cos(roll) - right * math.sin(roll)
    x = math.cos(pitch) - tilted * math.sin(pitch)
    z = math.sin(pitch) + tilted * math.cos(pitch)
    return x, y, z
