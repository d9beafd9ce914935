"""The ground as a raster of materials, painted from the map's lanes and marks."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from worker.simulator.curves import Array
from worker.simulator.opendrive import Lane, Mark, RoadMap, Signal

Cells = NDArray[np.uint8]

FINEST, MOST_CELLS = 0.125, 12_000_000
MOST_AT_ONCE = 2_000_000
MARGIN = 60.0
# Denser than the cells, so that the strip between two samples leaves no hole.
SAMPLING = 0.7
WALK, KERB = 2.0, 0.25
NARROWEST_MARK = 0.20
DASH, DASH_PERIOD = 3.0, 6.0
STOP_LINE = 0.45
GRAINS = 16


class Material(IntEnum):
    """What the ground is made of."""

    GRASS = 0
    ASPHALT = 1
    WALK = 2
    WHITE = 3
    YELLOW = 4
    KERB = 5
    EARTH = 6


@dataclass(frozen=True, eq=False)
class GroundRaster:
    """Row 0 is at `y`, column 0 at `x`; a cell holds `material * GRAINS + grain`."""

    x: float
    y: float
    size: float
    cells: Cells


def paint(roads: RoadMap, seed: int) -> GroundRaster:
    """Draw the whole map; a second or two for a town."""
    low_x, high_x, low_y, high_y = roads.bounds
    width, height = high_x - low_x + 2 * MARGIN, high_y - low_y + 2 * MARGIN
    size = max(FINEST, math.sqrt(width * height / MOST_CELLS))
    canvas = _Canvas(low_x - MARGIN, low_y - MARGIN, size, width, height)
    lanes = list(roads.driving)
    for lane in lanes:
        canvas.strip(lane, lane.inner + WALK, lane.outer - WALK, Material.WALK)
        canvas.strip(lane, lane.inner - WALK, lane.outer + WALK, Material.WALK)
    for lane in (lane for lane in roads.lanes if lane.kind in ("shoulder", "border", "parking")):
        canvas.strip(lane, lane.inner, lane.outer, Material.ASPHALT)
    for lane in (lane for lane in roads.lanes if lane.kind == "sidewalk"):
        canvas.strip(lane, lane.inner, lane.outer, Material.WALK)
    for lane in lanes:
        canvas.strip(lane, lane.inner - KERB, lane.outer + KERB, Material.KERB)
        canvas.strip(lane, lane.inner + KERB, lane.outer - KERB, Material.KERB)
    for lane in lanes:
        canvas.strip(lane, lane.inner, lane.outer, Material.ASPHALT)
    for members in _junctions(lanes):
        canvas.fill_holes(members)
    for lane in roads.lanes:
        for mark, start, end in _marks(lane):
            canvas.mark(lane, mark, start, end)
    for signal in roads.signals:
        canvas.stop_line(signal)
    return GroundRaster(canvas.x, canvas.y, size, canvas.grained(seed))


def _junctions(lanes: list[Lane]) -> Iterator[list[Lane]]:
    found: dict[int, list[Lane]] = defaultdict(list)
    for lane in lanes:
        if lane.in_junction:
            found[lane.junction].append(lane)
    yield from found.values()


def _marks(lane: Lane) -> Iterator[tuple[Mark, float, float]]:
    """Each mark with the metres of the section it covers."""
    starts = [min(mark.start, lane.length) for mark in lane.marks]
    for mark, (start, end) in zip(lane.marks, pairwise([*starts, lane.length]), strict=True):
        if mark.kind not in ("none", "curb"):
            yield mark, start, end


class _Canvas:
    """Cells of material under construction."""

    def __init__(self, x: float, y: float, size: float, width: float, height: float) -> None:
        self.x, self.y, self.size = x, y, size
        shape = (int(height / size) + 1, int(width / size) + 1)
        self.cells: Cells = np.zeros(shape, dtype=np.uint8)

    def strip(self, lane: Lane, first: Array, second: Array, material: Material) -> None:
        """Everything between two offsets from the lane's reference line."""
        self._fill(lane, first, second, 0.0, lane.length, material, dashed=False)

    def mark(self, lane: Lane, mark: Mark, start: float, end: float) -> None:
        """One or two lines along the lane's outer border, inside the lane."""
        width = max(mark.width, NARROWEST_MARK, 1.5 * self.size)
        inward = -1.0 if lane.id > 0 else 1.0
        material = Material.YELLOW if mark.color == "yellow" else Material.WHITE
        for number, kind in enumerate(mark.kind.split()[:2]):
            near = lane.outer + inward * 2.0 * width * number
            if lane.id == 0:
                near = near - width / 2.0
            self._fill(
                lane, near, near + inward * width, start, end, material, dashed=kind == "broken"
            )

    def _fill(
        self,
        lane: Lane,
        first: Array,
        second: Array,
        start: float,
        end: float,
        material: Material,
        *,
        dashed: bool,
    ) -> None:
        step = self.size * SAMPLING
        origin = lane.curve.s[0]
        along = origin + np.linspace(start, end, max(2, math.ceil((end - start) / step)))
        if dashed:
            along = along[(along - origin - start) % DASH_PERIOD < DASH]
        widest = float(np.abs(second - first).max())
        shares = np.linspace(0.0, 1.0, max(2, math.ceil(widest / step)) + 1)
        edges = [each for offset in (first, second) for each in lane.points(offset)]
        # In pieces: all points of a lane of kilometres at once would take gigabytes.
        for piece in np.array_split(along, len(along) * len(shares) // MOST_AT_ONCE + 1):
            x0, y0, x1, y1 = (np.interp(piece, lane.curve.s, each) for each in edges)
            x = x0[:, None] + shares * (x1 - x0)[:, None]
            y = y0[:, None] + shares * (y1 - y0)[:, None]
            self._put(x, y, material)

    def _put(self, x: Array, y: Array, material: Material) -> None:
        columns = ((x - self.x) / self.size).astype(np.intp)
        rows = ((y - self.y) / self.size).astype(np.intp)
        self.cells[rows.ravel(), columns.ravel()] = material

    def fill_holes(self, lanes: list[Lane]) -> None:
        """Asphalt wherever a junction's lanes enclose something else."""
        edges = [lane.points(offset) for lane in lanes for offset in (lane.inner, lane.outer)]
        columns = ((np.concatenate([e[0] for e in edges]) - self.x) / self.size).astype(int)
        rows = ((np.concatenate([e[1] for e in edges]) - self.y) / self.size).astype(int)
        window = np.s_[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]
        part = self.cells[window]
        part[_enclosed(part != Material.ASPHALT)] = Material.ASPHALT

    def stop_line(self, signal: Signal) -> None:
        yaw = math.radians(signal.stop.yaw)
        step = self.size * SAMPLING
        along = np.arange(-STOP_LINE - 0.1, -0.1, step)
        across = np.arange(1.6 - signal.width, 1.6, step)
        u, v = np.meshgrid(along, across)
        cosine, sine = math.cos(yaw), math.sin(yaw)
        x = signal.stop.x + cosine * u - sine * v
        y = signal.stop.y + sine * u + cosine * v
        self._put(x, y, Material.WHITE)

    def grained(self, seed: int) -> Cells:
        """The cells with a grain in their low bits: large patches and fine speckle."""
        rng = np.random.default_rng([seed, 1])
        rows, columns = self.cells.shape
        patches = rng.integers(0, 7, (rows // 16 + 1, columns // 16 + 1), dtype=np.uint8)
        grain = patches.repeat(16, axis=0)[:rows].repeat(16, axis=1)[:, :columns]
        speckle = rng.integers(0, 10, (512, 512), dtype=np.uint8)
        tiles = (rows // 512 + 1, columns // 512 + 1)
        return self.cells * np.uint8(GRAINS) + grain + np.tile(speckle, tiles)[:rows, :columns]


def _enclosed(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Free cells that cannot be reached from the window's border over free cells."""
    outside = np.zeros_like(free)
    outside[[0, -1]], outside[:, [0, -1]] = free[[0, -1]], free[:, [0, -1]]
    count = -1
    while count != (count := int(outside.sum())):
        for _ in range(8):
            outside[1:] |= outside[:-1]
            outside[:-1] |= outside[1:]
            outside[:, 1:] |= outside[:, :-1]
            outside[:, :-1] |= outside[:, 1:]
            outside &= free
    return free & ~outside
