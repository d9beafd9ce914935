"""Plans routes over a CARLA map's lane graph. The wheel has no planner: `agents` is not part of it."""

import math
import re
from collections.abc import Iterable, Sequence

import carla
import networkx as nx
import numpy as np

from backend.errors import InvalidConfig
from worker.environment.route import SPACING, Path, Route, densify

Lane = tuple[int, int, int]
TURN_ANGLE = math.radians(20)
SHORTEST_ROUTE = 40.0

# Start and end (x, y) in metres in the generated town. `right` turns once, at 90 m, then crosses the
# middle junction; `straight` crosses it and turns right at 210 m; `left` turns left in it and again.
TOWN_ROUTES = {
    "right": ((16.0, -238.25), (118.25, -73.0)),
    "straight": ((16.0, -118.25), (238.25, -66.0)),
    "left": ((16.0, -118.25), (66.0, -241.75)),
}
SPAWN_POINTS = re.compile(r"(\d+)-(\d+)")


def plan_routes(world_map: carla.Map, names: Sequence[str]) -> list[Route]:
    """The routes of a run, each a name of `TOWN_ROUTES` or `FROM-TO` spawn point numbers.

    Raises:
        InvalidConfig: a name is not known on this map, or no lanes lead from its start to its end.
    """
    graph = LaneGraph(world_map)
    return [graph.route(name, *_ends(world_map, name)) for name in names]


def _ends(world_map: carla.Map, name: str) -> tuple[carla.Waypoint, carla.Waypoint]:
    if match := SPAWN_POINTS.fullmatch(name):
        points = world_map.get_spawn_points()
        first, last = int(match[1]), int(match[2])
        if max(first, last) >= len(points):
            raise _refused(name, f"{world_map.name} has spawn points 0 to {len(points) - 1}")
        return _waypoint(world_map, points[first].location), _waypoint(
            world_map, points[last].location
        )
    if name not in TOWN_ROUTES:
        raise _refused(name, f"name one of {', '.join(TOWN_ROUTES)}, or FROM-TO spawn points")
    ends = [carla.Location(x, y, 0.0) for x, y in TOWN_ROUTES[name]]
    start, end = (_waypoint(world_map, location) for location in ends)
    if any(
        point.transform.location.distance_2d(at) > 1.0
        for point, at in zip((start, end), ends, strict=True)
    ):
        raise _refused(name, f"it lies in the generated town; on {world_map.name} use FROM-TO")
    return start, end


def _waypoint(world_map: carla.Map, location: carla.Location) -> carla.Waypoint:
    return world_map.get_waypoint(location, project_to_road=True)


def _refused(name: str, remedy: str) -> InvalidConfig:
    return InvalidConfig({"routes": f"no route '{name}': {remedy}"})


class LaneGraph:
    """Driving lanes as nodes, weighted by length; an edge where one lane continues in another.

    Lane changes are not edges: a route stays in its lane from junction to junction.
    """

    def __init__(self, world_map: carla.Map) -> None:
        self._graph: nx.DiGraph[Lane] = nx.DiGraph()
        self._starts: dict[Lane, carla.Waypoint] = {}
        self._lengths: dict[Lane, float] = {}
        for start, successor in world_map.get_topology():
            lane = _lane(start)
            if lane not in self._starts:
                self._starts[lane] = start
                self._lengths[lane] = len(start.next_until_lane_end(SPACING)) * SPACING
            self._graph.add_edge(lane, _lane(successor), length=self._lengths[lane])

    def route(self, name: str, start: carla.Waypoint, end: carla.Waypoint) -> Route:
        """The shortest drive from one waypoint to the other."""
        pieces = self._pieces(start, end)
        if pieces is None:
            raise _refused(name, "no lanes lead from its start to its end")
        route = densify(name, _path(pieces))
        if route.length < SHORTEST_ROUTE:
            raise _refused(
                name, f"{route.length:.0f} m is shorter than {SHORTEST_ROUTE:.0f} m: choose others"
            )
        return route

    def _pieces(
        self, start: carla.Waypoint, end: carla.Waypoint
    ) -> list[list[carla.Waypoint]] | None:
        source, target = _lane(start), _lane(end)
        first = [start, *start.next_until_lane_end(SPACING)]
        if source == target and _ahead(end, start):
            return [_until(first, end)]
        lanes = self._between(source, target)
        if lanes is None:
            return None
        middle = [self._whole(lane) for lane in lanes]
        return [first, *middle, _until(self._whole(target), end)]

    def _between(self, source: Lane, target: Lane) -> list[Lane] | None:
        """Lanes strictly between two, by the shortest way that leaves the source, even to come back to it."""
        found: list[tuple[float, list[Lane]]] = []
        for successor in self._graph.successors(source) if source in self._graph else ():
            try:
                found.append(
                    nx.single_source_dijkstra(self._graph, successor, target, weight="length")
                )
            except nx.NetworkXNoPath:
                continue
        return min(found)[1][:-1] if found else None

    def _whole(self, lane: Lane) -> list[carla.Waypoint]:
        start = self._starts[lane]
        return [start, *start.next_until_lane_end(SPACING)]


def _lane(waypoint: carla.Waypoint) -> Lane:
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def _ahead(waypoint: carla.Waypoint, of: carla.Waypoint) -> bool:
    """Right lanes (negative ids) run with the road's s, left lanes against it."""
    return bool((waypoint.s - of.s) * (-1 if of.lane_id > 0 else 1) > 0)


def _until(waypoints: Iterable[carla.Waypoint], end: carla.Waypoint) -> list[carla.Waypoint]:
    return [*(point for point in waypoints if _ahead(end, point)), end]


def _path(pieces: list[list[carla.Waypoint]]) -> Path:
    turns = [_turn(piece) for piece in pieces]
    rows = [
        (t.location.x, t.location.y, t.location.z, math.radians(t.rotation.yaw), width / 2, turn)
        for piece, turn in zip(pieces, turns, strict=True)
        for t, width in ((point.transform, point.lane_width) for point in piece)
    ]
    return Path(*np.array(rows, dtype=np.float64).T)


def _turn(piece: list[carla.Waypoint]) -> float:
    """Sign of the heading's change over a junction's lane: +1 right, -1 left, 0 straight or no junction."""
    if not piece[0].is_junction:
        return 0.0
    yaw = np.unwrap([math.radians(point.transform.rotation.yaw) for point in piece])
    change = float(yaw[-1] - yaw[0])
    return math.copysign(1.0, change) if abs(change) > TURN_ANGLE else 0.0
