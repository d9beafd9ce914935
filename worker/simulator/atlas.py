"""The ground in several resolutions, one flat array each, so that one lookup serves every pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.simulator.look import Packed
from worker.simulator.raster import GRAINS, GroundRaster, Material
from worker.simulator.rays import Floats, Rays

LEVELS = 6
_PAIR = np.uint32(0x00FF00FF)
# CARLA's semantic tags by material.
_TAGS = {
    Material.GRASS: 10,
    Material.ASPHALT: 1,
    Material.WALK: 2,
    Material.WHITE: 24,
    Material.YELLOW: 24,
    Material.KERB: 2,
    Material.EARTH: 10,
}


@dataclass(frozen=True)
class Level:
    """Where one resolution lies in the flat array."""

    offset: int
    rows: int
    columns: int
    size: float


class Atlas:
    """Level 0 is the raster itself, each next one half as fine."""

    def __init__(self, raster: GroundRaster) -> None:
        self.raster = raster
        self.levels: list[Level] = []
        offset, size = 0, raster.size
        rows, columns = raster.cells.shape
        for _ in range(LEVELS):
            self.levels.append(Level(offset, rows, columns, size))
            offset += rows * columns
            rows, columns, size = rows // 2, columns // 2, size * 2
        self.tags = self._tags()

    def colors(self, palette: Packed) -> Packed:
        """The flat array in the colours of a weather; coarse levels are means of fine ones."""
        image = palette[self.raster.cells]
        parts = [image.ravel()]
        for level in self.levels[1:]:
            image = _halve(image[: 2 * level.rows, : 2 * level.columns])
            parts.append(image.ravel())
        return np.concatenate(parts)

    def _tags(self) -> NDArray[np.uint8]:
        table = np.zeros(256, dtype=np.uint8)
        for material, tag in _TAGS.items():
            table[material * GRAINS : (material + 1) * GRAINS] = tag
        image = table[self.raster.cells]
        parts = [image.ravel()]
        for level in self.levels[1:]:
            image = image[: 2 * level.rows : 2, : 2 * level.columns : 2]
            parts.append(image.ravel())
        return np.concatenate(parts)


def _halve(image: Packed) -> Packed:
    """Mean of each square of four, two colour channels at a time in the halves of a word."""
    corners = [image[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    even = sum(corner & _PAIR for corner in corners) >> np.uint32(2) & _PAIR
    odd = sum(corner >> np.uint32(8) & _PAIR for corner in corners) >> np.uint32(2) & _PAIR
    return np.asarray(even | odd << np.uint32(8))


class GroundView:
    """For one kind of camera: which cell of the atlas each ground pixel shows."""

    def __init__(self, rays: Rays, atlas: Atlas) -> None:
        sizes = np.array([level.size for level in atlas.levels])
        nearest = np.rint(np.log2(np.maximum(rays.footprint, 1e-6) / sizes[0]))
        level = np.clip(nearest, 0, len(sizes) - 1).astype(int)
        self._scale: Floats = (1.0 / sizes[level]).astype(np.float32)
        self._ahead: Floats = rays.ahead * self._scale
        self._right: Floats = rays.right * self._scale
        columns = np.array([each.columns for each in atlas.levels])[level]
        rows = np.array([each.rows for each in atlas.levels])[level]
        self._columns = columns.astype(np.int32)
        self._last_column = (columns - 1).astype(np.float32)
        self._last_row = (rows - 1).astype(np.float32)
        self._offset = np.array([each.offset for each in atlas.levels], dtype=np.int32)[level]
        self._x, self._y = atlas.raster.x, atlas.raster.y

    def cells(self, x: float, y: float, cosine: float, sine: float) -> NDArray[np.int32]:
        """Indices into the atlas for a camera there, its yaw given as cosine and sine."""
        column = self._ahead * np.float32(cosine)
        column -= self._right * np.float32(sine)
        column += self._scale * np.float32(x - self._x)
        row = self._ahead * np.float32(sine)
        row += self._right * np.float32(cosine)
        row += self._scale * np.float32(y - self._y)
        np.clip(column, 0.0, self._last_column, out=column)
        np.clip(row, 0.0, self._last_row, out=row)
        index = row.astype(np.int32)
        index *= self._columns
        index += column.astype(np.int32)
        index += self._offset
        return index
