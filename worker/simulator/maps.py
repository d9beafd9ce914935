"""The maps a server offers, and what the world asks of the one it has loaded."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from worker.simulator import towns
from worker.simulator.errors import MapUnknown, MapUnreadable
from worker.simulator.extent import MOST_BYTES
from worker.simulator.marking import marked
from worker.simulator.opendrive import DEFAULT_LIMIT, Lane, RoadMap, parse
from worker.simulator.pose import Pose

BUILT_IN = {"town": towns.town, "oval": towns.oval}
GENERATED = "OpenDriveMap"
# Places in the town that routes start and end at come first, so that their numbers stay: right turn
# (0 to 1), straight on (2 to 3) and left turns (2 to 4).
Place = tuple[float, float, float]
FIRST_SPAWNS: dict[str, tuple[Place, ...]] = {
    "town": (
        (16.0, -238.25, 0.0),
        (118.25, -73.0, 90.0),
        (16.0, -118.25, 0.0),
        (238.25, -66.0, 90.0),
        (66.0, -241.75, 180.0),
    )
}
SPAWN_MARGIN, SPAWN_SPACING, SPAWN_CLEARANCE = 6.0, 20.0, 7.0
SPAWN_HEIGHT = 0.3
CELL = 1.0


class Ground:
    """Height and speed limit of the lane at a place, on a grid of `CELL` metres.

    Where lanes cross above each other the last one read wins: bridges are flat to this simulator.
    """

    def __init__(self, roads: RoadMap) -> None:
        low_x, high_x, low_y, high_y = roads.bounds
        self._x, self._y = low_x - CELL, low_y - CELL
        self._columns = int((high_x - low_x) / CELL) + 3
        self._rows = int((high_y - low_y) / CELL) + 3
        shape = (self._rows, self._columns)
        self._limits = np.zeros(shape, dtype=np.float32)
        self._heights = np.zeros(shape, dtype=np.float32)
        for lane in roads.driving:
            self._paint(lane)
        self.is_flat = not self._heights.any()

    def _paint(self, lane: Lane) -> None:
        for share in np.linspace(0.0, 1.0, 9):
            x, y = lane.points(lane.inner + share * (lane.outer - lane.inner))
            rows = ((y - self._y) / CELL).astype(int)
            columns = ((x - self._x) / CELL).astype(int)
            self._limits[rows, columns] = lane.limit
            self._heights[rows, columns] = lane.height

    def limit(self, x: float, y: float, otherwise: float = DEFAULT_LIMIT) -> float:
        """km/h; `otherwise` beside the road."""
        cell = self._cell(x, y)
        return (float(self._limits[cell]) if cell else 0.0) or otherwise

    def height(self, x: float, y: float, otherwise: float = 0.0) -> float:
        """Metres; `otherwise` beside the road."""
        if self.is_flat:
            return 0.0
        cell = self._cell(x, y)
        return float(self._heights[cell]) if cell and self._limits[cell] else otherwise

    def _cell(self, x: float, y: float) -> tuple[int, int] | None:
        row, column = int((y - self._y) / CELL), int((x - self._x) / CELL)
        inside = 0 <= row < self._rows and 0 <= column < self._columns
        return (row, column) if inside else None


@dataclass(frozen=True, eq=False)
class Map:
    """One loaded map.

    Raises (on construction by `load`):
        MapUnreadable: the text is not an OpenDRIVE map with lanes to drive on.
    """

    name: str
    text: str
    roads: RoadMap
    first_spawns: Sequence[Place] = ()
    ground: Ground = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ground", Ground(self.roads))

    @cached_property
    def spawn_points(self) -> list[Pose]:
        """Where cars can be put: along every driving lane outside of junctions."""
        chosen = _Spaced()
        for x, y, yaw in self.first_spawns:
            chosen.add(Pose(x, y, SPAWN_HEIGHT, 0.0, yaw))
        for lane in self.roads.driving:
            if lane.in_junction:
                continue
            last = lane.length - SPAWN_MARGIN / 2
            for travelled in np.arange(2.0, max(last, 2.1), SPAWN_SPACING).tolist():
                point = lane.pose(travelled)
                if chosen.has_room(point):
                    chosen.add(Pose(point.x, point.y, point.z + SPAWN_HEIGHT, 0.0, point.yaw))
        return chosen.poses


class _Spaced:
    """Places for cars, each looked for among those in the cells around it only."""

    def __init__(self) -> None:
        self.poses: list[Pose] = []
        self._cells: dict[tuple[int, int], list[Pose]] = defaultdict(list)

    def add(self, pose: Pose) -> None:
        self.poses.append(pose)
        self._cells[self._cell(pose)].append(pose)

    def has_room(self, pose: Pose) -> bool:
        column, row = self._cell(pose)
        return all(
            _apart(pose, other)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for other in self._cells.get((column + i, row + j), ())
        )

    def _cell(self, pose: Pose) -> tuple[int, int]:
        return math.floor(pose.x / SPAWN_CLEARANCE), math.floor(pose.y / SPAWN_CLEARANCE)


def _apart(a: Pose, b: Pose) -> bool:
    near = abs(a.x - b.x) < SPAWN_CLEARANCE and abs(a.y - b.y) < SPAWN_CLEARANCE
    return not near or abs((a.yaw - b.yaw + 180.0) % 360.0 - 180.0) > 90.0


class Catalog:
    """The maps by name; each is parsed once, a built-in one when it is first loaded."""

    def __init__(self) -> None:
        self._loaded: dict[str, Map] = {}

    @property
    def names(self) -> list[str]:
        return list({**BUILT_IN, **self._loaded})

    def add(self, name: str, text: str) -> Map:
        """Offer a map under a name; MapUnreadable if it is none."""
        roads = parse(text)
        self._loaded[name] = Map(name, marked(text), roads)
        return self._loaded[name]

    def add_file(self, path: Path) -> Map:
        """Offer an OpenDRIVE file under its name without the ending.

        Raises:
            MapUnknown: it cannot be read.
            MapUnreadable: it is no OpenDRIVE map.
        """
        try:
            return self.add(path.stem, _text_of(path))
        except OSError as error:
            raise MapUnknown(f"map '{path}' cannot be read: {error.strerror}") from error
        except MapUnreadable as error:
            raise MapUnreadable(f"map '{path}': {error}") from error

    def load(self, name: str) -> Map:
        """The map of that name, as `town` or as CARLA writes it (`/Game/Carla/Maps/town`)."""
        short = name.rsplit("/", 1)[-1]
        if short in self._loaded:
            return self._loaded[short]
        if short not in BUILT_IN:
            raise MapUnknown(f"no map '{name}': this server has {', '.join(self.names)}")
        text = BUILT_IN[short]()
        self._loaded[short] = Map(short, text, parse(text), FIRST_SPAWNS.get(short, ()))
        return self._loaded[short]


def _text_of(path: Path) -> str:
    """Raises OSError, or MapUnreadable when the file is a device, too large or no text."""
    size = path.stat().st_size
    if not (path.is_file() or path.is_dir()):
        raise MapUnreadable("it is a device or a pipe: give an ordinary file")
    if size > MOST_BYTES:
        raise MapUnreadable(
            f"{size / 1e6:,.0f} MB are more than {MOST_BYTES / 1e6:,.0f} MB: give a smaller map"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MapUnreadable(
            f"byte {error.start} is not UTF-8: save the file in that encoding"
        ) from error
