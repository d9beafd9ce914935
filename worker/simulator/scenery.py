"""What stands beside the roads: houses and trees, drawn from the map and a seed."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.simulator.actors import Actor
from worker.simulator.blueprints import Blueprint, Size
from worker.simulator.curves import Array
from worker.simulator.opendrive import Lane, RoadMap
from worker.simulator.pose import Pose

CELL = 1.0
HOUSE_LENGTH, HOUSE_DEPTH, HOUSE_HEIGHT = (9.0, 20.0), (8.0, 13.0), (4.0, 15.0)
SETBACK, GAP = (2.5, 6.0), (2.0, 14.0)
TREE_SPACING, TREE_SETBACK, TREE_SHARE = 11.0, 1.3, 0.45
CLEARANCE = 1.0
HOUSE = Blueprint("static.building", tag=3)
TREE = Blueprint("static.vegetation", tag=9)
FACADES = (
    (196, 178, 150),
    (178, 120, 96),
    (205, 200, 190),
    (150, 152, 158),
    (214, 190, 120),
    (168, 140, 120),
    (130, 150, 165),
)


class Style(IntEnum):
    """How a block's sides are drawn."""

    PLAIN = 0
    HOUSE = 1
    FOLIAGE = 2
    CAR = 3
    CABIN = 4
    LAMP = 5


class Block(NamedTuple):
    """An upright box: centre, yaw in radians, half sizes, from `base` to `top` metres, RGB, semantic tag."""

    x: float
    y: float
    yaw: float
    length: float
    width: float
    base: float
    top: float
    style: Style
    color: tuple[int, int, int]
    tag: int


@dataclass(frozen=True, eq=False)
class Scenery:
    """Bodies to collide with (ids 0: they are no actors of the episode) and blocks to draw."""

    bodies: list[Actor]
    blocks: list[Block]


def build(roads: RoadMap, seed: int) -> Scenery:
    """Houses along both sides of every road outside junctions, and trees between them."""
    low_x, high_x, low_y, high_y = roads.bounds
    print_of_map = zlib.crc32(np.round([low_x, high_x, low_y, high_y, len(roads.lanes)]).tobytes())
    rng = np.random.default_rng([seed, print_of_map])
    taken = _Taken(roads)
    scenery = Scenery([], [])
    edges = [lane for lane in _edges(roads) if lane.length > HOUSE_LENGTH[0]]
    for lane in edges:
        for house in _houses(lane, rng):
            if taken.claim(house):
                _add(scenery, house, HOUSE)
    for lane in edges:
        for crown in _trees(lane, rng):
            trunk = crown._replace(length=0.18, width=0.18, base=0.0, top=crown.base + 0.3)
            trunk = trunk._replace(style=Style.PLAIN, color=(92, 70, 50))
            if taken.claim(trunk):
                _add(scenery, trunk, TREE)
                scenery.blocks.append(crown)
    return scenery


def _add(scenery: Scenery, block: Block, kind: Blueprint) -> None:
    size = Size(block.length, block.width, block.top / 2)
    blueprint = Blueprint(kind.id, (), size, kind.tag)
    pose = Pose(block.x, block.y, 0.0, 0.0, math.degrees(block.yaw))
    scenery.bodies.append(Actor(0, blueprint, pose))
    scenery.blocks.append(block)


def _edges(roads: RoadMap) -> Iterator[Lane]:
    """The outermost lane of each side of each section outside junctions."""
    outermost: dict[tuple[int, int, bool], Lane] = {}
    for lane in roads.lanes:
        if lane.id and not lane.in_junction:
            key = (lane.road, lane.section, lane.id > 0)
            known = outermost.get(key)
            if known is None or abs(lane.id) > abs(known.id):
                outermost[key] = lane
    yield from outermost.values()


def _houses(lane: Lane, rng: np.random.Generator) -> Iterator[Block]:
    along = float(rng.uniform(0.0, GAP[1] / 2))
    while along < lane.length - HOUSE_LENGTH[0]:
        length = float(rng.uniform(*HOUSE_LENGTH))
        depth, height = float(rng.uniform(*HOUSE_DEPTH)), float(rng.uniform(*HOUSE_HEIGHT))
        setback = float(rng.uniform(*SETBACK))
        color = FACADES[int(rng.integers(len(FACADES)))]
        x, y, yaw = lane.beside(along + length / 2, setback + depth / 2)
        yield Block(x, y, yaw, length / 2, depth / 2, 0.0, height, Style.HOUSE, color, HOUSE.tag)
        along += length + float(rng.uniform(*GAP))


def _trees(lane: Lane, rng: np.random.Generator) -> Iterator[Block]:
    for along in np.arange(TREE_SPACING / 2, lane.length, TREE_SPACING).tolist():
        shift, share, size, height, shade = rng.uniform(size=5).tolist()
        if share > TREE_SHARE:
            continue
        x, y, yaw = lane.beside(along + 4.0 * (shift - 0.5), TREE_SETBACK)
        half, top = 1.0 + 0.8 * size, 4.5 + 2.5 * height
        color = (int(50 + 30 * shade), int(95 + 35 * shade), int(45 + 15 * shade))
        yield Block(x, y, yaw, half, half, 2.1, top, Style.FOLIAGE, color, TREE.tag)


class _Taken:
    """Ground that is road already, or built on; in cells of one metre."""

    def __init__(self, roads: RoadMap) -> None:
        low_x, high_x, low_y, high_y = roads.bounds
        self._x, self._y = low_x - 50.0, low_y - 50.0
        rows, columns = int(high_y - low_y + 100.0) + 1, int(high_x - low_x + 100.0) + 1
        self._cells = np.zeros((rows, columns), dtype=bool)
        for lane in roads.lanes:
            width = float(np.abs(lane.outer - lane.inner).max())
            for share in np.linspace(0.0, 1.0, int(width / CELL) + 2):
                x, y = lane.points(lane.inner + share * (lane.outer - lane.inner))
                self._cells[self._index(x, y)] = True

    def _index(self, x: Array, y: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        rows = ((y - self._y) / CELL).astype(np.intp)
        columns = ((x - self._x) / CELL).astype(np.intp)
        return (
            rows.clip(0, self._cells.shape[0] - 1),
            columns.clip(0, self._cells.shape[1] - 1),
        )

    def claim(self, block: Block) -> bool:
        """Whether the block's footprint is free; if so it is taken now."""
        length, width = block.length + CLEARANCE, block.width + CLEARANCE
        u, v = np.meshgrid(
            np.linspace(-length, length, int(3 * length) + 2),
            np.linspace(-width, width, int(3 * width) + 2),
        )
        cosine, sine = math.cos(block.yaw), math.sin(block.yaw)
        index = self._index(block.x + cosine * u - sine * v, block.y + sine * u + cosine * v)
        if self._cells[index].any():
            return False
        self._cells[index] = True
        return True
