"""The maps a server offers, and what the world asks of the one it has loaded."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from worker.simulator import towns
from worker.simulator.errors import MapUnknown
from worker.simulator.opendrive import DEFAULT_LIMIT, Lane, RoadMap, parse
from worker.simulator.pose import Pose

BUILT_IN = {"town": towns.town, "oval": towns.oval}
GENERATED = "OpenDriveMap"
# Places in the town that routes start and end at come first, so that their numbers stay: right turn
# (0 to 1), straight on (2 to 3) and left turns (2 to 4).
FIRST_SPAWNS = {
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
    ground: Ground = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ground", Ground(self.roads))

    @cached_property
    def spawn_points(self) -> list[Pose]:
        """Where cars can be put: along every driving lane outside of junctions."""
        chosen = [
            Pose(x, y, SPAWN_HEIGHT, 0.0, yaw) for x, y, yaw in FIRST_SPAWNS.get(self.name, ())
        ]
        for lane in self.roads.driving:
            if lane.in_junction:
                continue
            last = lane.length - SPAWN_MARGIN / 2
            for travelled in np.arange(2.0, max(last, 2.1), SPAWN_SPACING).tolist():
                point = lane.pose(travelled)
                if all(_apart(point, other) for other in chosen):
                    chosen.append(Pose(point.x, point.y, point.z + SPAWN_HEIGHT, 0.0, point.yaw))
        return chosen


def _apart(a: Pose, b: Pose) -> bool:
    near = abs(a.x - b.x) < SPAWN_CLEARANCE and abs(a.y - b.y) < SPAWN_CLEARANCE
    return not near or abs((a.yaw - b.yaw + 180.0) % 360.0 - 180.0) > 90.0


class Catalog:
    """Map names and their OpenDRIVE texts; each is parsed once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {name: write() for name, write in BUILT_IN.items()}
        self._loaded: dict[str, Map] = {}

    @property
    def names(self) -> list[str]:
        return list(self._texts)

    def add(self, name: str, text: str) -> Map:
        """Offer a map under a name; MapUnreadable if it is none."""
        loaded = Map(name, text, parse(text))
        self._texts[name], self._loaded[name] = text, loaded
        return loaded

    def add_file(self, path: Path) -> Map:
        """Offer an OpenDRIVE file under its name without the ending."""
        try:
            return self.add(path.stem, path.read_text())
        except OSError as error:
            raise MapUnknown(f"map '{path}' cannot be read: {error.strerror}") from error

    def load(self, name: str) -> Map:
        """The map of that name, as `town` or as CARLA writes it (`/Game/Carla/Maps/town`)."""
        short = name.rsplit("/", 1)[-1]
        if short in self._loaded:
            return self._loaded[short]
        if short not in self._texts:
            raise MapUnknown(f"no map '{name}': this server has {', '.join(self.names)}")
        return self.add(short, self._texts[short])
