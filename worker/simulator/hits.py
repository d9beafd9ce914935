"""Which pixels see which boxes of a ring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.simulator.blocks import Blocks, Ring
from worker.simulator.rays import Floats, Indices, Rays


@dataclass(frozen=True, eq=False)
class Hits:
    """One entry per pixel and box it may show, far ones first: writing them in order leaves the nearest.

    Attributes:
        pixels: flat index in the image; `cells` flat index in the ring.
        is_roof: the box's top face is seen, not a side.
        distance, height: metres to the point seen, and above zero.
    """

    pixels: Indices
    cells: Indices
    is_roof: NDArray[np.bool_]
    distance: Floats
    height: Floats


def find(ring: Ring, blocks: Blocks, rays: Rays, eye: float) -> Hits:
    """Compare each pixel's slope with those of the edges of the boxes its ray meets."""
    shape = blocks.shape[ring.block]
    base, top = shape[..., 6] - np.float32(eye), shape[..., 7] - np.float32(eye)
    side = top / ring.near
    high = np.maximum(side, top / ring.far)
    low = np.minimum(base / ring.near, base / ring.far)
    missing = ~np.isfinite(ring.near)
    low[missing], high[missing] = np.inf, -np.inf
    slope = rays.slope
    seen = slope > low[:, rays.bin]
    seen &= slope <= high[:, rays.bin]
    found = np.flatnonzero(seen)
    layers, pixels = np.divmod(found, slope.size)
    count = ring.near.shape[1]
    # A level camera has one ray per column, any other one per pixel.
    bins = pixels % count if len(rays.bin) == 1 else rays.bin.ravel()[pixels]
    cells = layers * count + bins
    slopes = slope.ravel()[pixels]
    near = ring.near.take(cells)
    is_roof = slopes > side.take(cells)
    reach = np.where(is_roof, top.take(cells) / np.where(slopes == 0.0, 1.0, slopes), near)
    return Hits(pixels, cells, is_roof, reach, np.float32(eye) + slopes * near)
