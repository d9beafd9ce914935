"""Reads the parts of OpenDRIVE the simulator needs: lanes with their marks, heights, limits and signals."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from worker.simulator import extent
from worker.simulator.curves import Array, Curve, number, polynomial, sample
from worker.simulator.errors import MapUnreadable
from worker.simulator.layout import require_layout
from worker.simulator.pose import Pose, half_turn

SPACING = 0.5
TRAFFIC_LIGHT = "1000001"
DRIVING = ("driving", "bidirectional", "entry", "exit", "onRamp", "offRamp")
DEFAULT_LIMIT, FASTEST = 30.0, 400.0
# Metres: of a painted line, and of a signal's pole from its road.
WIDEST_MARK, FARTHEST_POLE = 5.0, 200.0
# Up to here floats name whole numbers one by one.
LARGEST_ID = 2.0**53
_TO_KMH = {"km/h": 1.0, "mph": 1.609344, "m/s": 3.6}


@dataclass(frozen=True)
class Mark:
    """The line painted on a lane's outer border from `start` metres into its section."""

    start: float
    kind: str
    color: str
    width: float


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane of one section, as points along the road's reference line (OpenDRIVE axes).

    Attributes:
        junction: number of the junction it crosses, -1 outside of all.
        inner, outer: metres of its borders from the reference line, positive to the left.
        limit: km/h.
    """

    road: int
    section: int
    id: int
    kind: str
    junction: int
    limit: float
    curve: Curve
    height: Array
    inner: Array
    outer: Array
    marks: tuple[Mark, ...]

    @property
    def in_junction(self) -> bool:
        return self.junction >= 0

    @property
    def is_driving(self) -> bool:
        return self.kind in DRIVING

    @property
    def length(self) -> float:
        return float(self.curve.s[-1] - self.curve.s[0])

    @property
    def center(self) -> Array:
        return (self.inner + self.outer) / 2.0

    @cached_property
    def _middle(self) -> tuple[Array, Array]:
        return self.points(self.center)

    def beside(self, along: float, distance: float) -> tuple[float, float, float]:
        """x and y of the point `distance` metres outside of its outer border, `along` metres into
        its section, and the reference line's yaw there in radians.
        """
        s = self.curve.s[0] + along
        after = int(np.clip(np.searchsorted(self.curve.s, s), 1, len(self.curve.s) - 1))
        near = np.s_[max(0, after - 2) : after + 2]
        offset = self.outer[near] + (distance if self.id > 0 else -distance)
        x, y = self._shifted(near, offset)
        metres = self.curve.s[near]
        heading = float(np.interp(s, metres, self.curve.turned[near]))
        return float(np.interp(s, metres, x)), float(np.interp(s, metres, y)), -heading

    def points(self, offset: Array) -> tuple[Array, Array]:
        """CARLA's x and y of the points `offset` metres left of the reference line."""
        return self._shifted(np.s_[:], offset)

    def _shifted(self, part: slice, offset: Array) -> tuple[Array, Array]:
        heading = self.curve.heading[part]
        x = self.curve.x[part] - np.sin(heading) * offset
        y = self.curve.y[part] + np.cos(heading) * offset
        return x, -y

    def pose(self, travelled: float) -> Pose:
        """The centre of the lane `travelled` metres along the way it is driven."""
        along = self.curve.s[0] + travelled if self.id < 0 else self.curve.s[-1] - travelled
        x, y = self._middle
        heading = math.degrees(np.interp(along, self.curve.s, self.curve.turned))
        return Pose(
            float(np.interp(along, self.curve.s, x)),
            float(np.interp(along, self.curve.s, y)),
            float(np.interp(along, self.curve.s, self.height)),
            0.0,
            half_turn(-heading if self.id < 0 else 180.0 - heading),
        )


@dataclass(frozen=True)
class Signal:
    """A traffic light as the map has it: who must stop where. `group` is the controller's id.

    Attributes:
        width, limit: metres of lanes it governs, and how fast (km/h) they are driven.
    """

    id: str
    group: str
    junction: str
    stop: Pose
    pole: Pose
    width: float
    limit: float


@dataclass(frozen=True, eq=False)
class RoadMap:
    """A parsed OpenDRIVE text."""

    lanes: tuple[Lane, ...]
    signals: tuple[Signal, ...]

    @property
    def driving(self) -> Iterator[Lane]:
        return (lane for lane in self.lanes if lane.is_driving)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, then y, of CARLA's axes."""
        edges = [lane.points(lane.outer) for lane in self.lanes]
        x = np.concatenate([edge[0] for edge in edges])
        y = np.concatenate([edge[1] for edge in edges])
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def parse(text: str) -> RoadMap:
    """Read an OpenDRIVE document.

    Raises:
        MapUnreadable: it is not XML, not OpenDRIVE, has no lane to drive on, measures too much, or has
            lanes that the client cannot read.
    """
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise MapUnreadable(f"not an OpenDRIVE document: {error}; give an .xodr file") from error
    roads = root.findall("road")
    extent.require_length(roads)
    require_layout(root)
    lanes = tuple(_bounded(lane for road in roads for lane in _lanes(road)))
    if not any(lane.is_driving for lane in lanes):
        raise MapUnreadable(
            f"<{root.tag[:80]}> with {len(roads)} roads has no driving lane: give an OpenDRIVE "
            "document with roads to drive on"
        )
    found = RoadMap(lanes, tuple(_signals(root, roads, lanes)))
    extent.require_ground(*found.bounds)
    return found


def _bounded(lanes: Iterator[Lane]) -> Iterator[Lane]:
    """The lanes, as long as they are not too many or too wide."""
    points = 0
    for count, lane in enumerate(lanes, 1):
        points += len(lane.curve.s)
        extent.require_lanes(count, points)
        name = f"lane {lane.id} of road {lane.road}"
        extent.require_lane(name, lane.inner, lane.outer, lane.height)
        yield lane


def _lanes(road: Element) -> Iterator[Lane]:
    plan, sections = road.find("planView"), road.findall("lanes/laneSection")
    if plan is None or not sections:
        raise MapUnreadable(f"road {road.get('id')} has no <planView> or no <laneSection>")
    curve = sample(plan, SPACING)
    starts = [number(section, "s") for section in sections]
    ends = [*starts[1:], math.inf]
    for index, (section, start, end) in enumerate(zip(sections, starts, ends, strict=True)):
        inside = (curve.s >= start - 1e-6) & (curve.s <= end + SPACING)
        if np.count_nonzero(inside) < 2:
            continue
        part = Curve(*(each[inside] for each in (curve.s, curve.x, curve.y, curve.heading)))
        yield from _section(road, index, section, part, start)


def _section(
    road: Element, index: int, section: Element, curve: Curve, start: float
) -> Iterator[Lane]:
    base = polynomial(road.findall("lanes/laneOffset"), "s", curve.s)

    def lane(element: Element, inner: Array, outer: Array) -> Lane:
        return Lane(
            road=_identity(road),
            section=index,
            id=int(number(element, "id")),
            kind=element.get("type", "none"),
            junction=int(number(road, "junction", -1, most=LARGEST_ID)),
            limit=_limit(road),
            curve=curve,
            height=height,
            inner=inner,
            outer=outer,
            marks=_marks(element),
        )

    height = polynomial(road.findall("elevationProfile/elevation"), "s", curve.s)
    for element in section.findall("center/lane"):
        yield lane(element, base, base)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        inner = base
        for element in sorted(section.findall(f"{side}/lane"), key=_distance_from_center):
            widths = element.findall("width")
            outer = inner + sign * polynomial(widths, "sOffset", curve.s - start)
            yield lane(element, inner, outer)
            inner = outer


def _identity(road: Element) -> int:
    return int(number(road, "id", most=LARGEST_ID))


def _distance_from_center(lane: Element) -> float:
    return abs(number(lane, "id"))


def _marks(lane: Element) -> tuple[Mark, ...]:
    return tuple(
        Mark(
            number(mark, "sOffset", 0.0),
            mark.get("type", "none"),
            mark.get("color", "standard"),
            number(mark, "width", 0.15, most=WIDEST_MARK),
        )
        for mark in lane.findall("roadMark")
    )


def _limit(road: Element) -> float:
    speed = road.find("type/speed")
    if speed is None or not speed.get("max", "").replace(".", "").isdigit():
        return DEFAULT_LIMIT
    factor = _TO_KMH.get(speed.get("unit", "m/s"), 3.6)
    return number(speed, "max", most=FASTEST / factor) * factor


def _signals(root: Element, roads: list[Element], lanes: tuple[Lane, ...]) -> Iterator[Signal]:
    controllers = {
        control.get("signalId", ""): controller.get("id", "")
        for controller in root.findall("controller")
        for control in controller.findall("control")
    }
    junctions = {
        controller.get("id", ""): junction.get("id", "")
        for junction in root.findall("junction")
        for controller in junction.findall("controller")
    }
    extent.require_signals(sum(1 for road in roads for _ in road.iterfind("signals/signal")))
    lanes_of: dict[int, list[Lane]] = defaultdict(list)
    for lane in lanes:
        lanes_of[lane.road].append(lane)
    for road in roads:
        for signal in road.findall("signals/signal"):
            identity = signal.get("id", "")
            group = controllers.get(identity, identity)
            if signal.get("type") == TRAFFIC_LIGHT:
                found = _placed(signal, lanes_of[_identity(road)])
                if found is not None:
                    yield Signal(identity, group, junctions.get(group, group), *found)


def _placed(signal: Element, lanes: Sequence[Lane]) -> tuple[Pose, Pose, float, float] | None:
    """Where its traffic stops, where its pole stands, how wide and how fast its road's lanes are."""
    s = number(signal, "s")
    forward = signal.get("orientation", "+") != "-"
    governed = [
        lane
        for lane in lanes
        if lane.is_driving
        and (lane.id < 0) == forward
        and lane.curve.s[0] - SPACING <= s <= lane.curve.s[-1] + SPACING
    ]
    if not governed:
        return None
    outermost = max(governed, key=lambda lane: abs(lane.id))
    curve = outermost.curve
    travelled = s - curve.s[0] if forward else curve.s[-1] - s
    stop = outermost.pose(float(travelled))
    width = sum(float(np.abs(lane.outer - lane.inner).mean()) for lane in governed)
    side = np.full_like(curve.s, number(signal, "t", 0.0, most=FARTHEST_POLE))
    x, y = outermost.points(side)
    pole = Pose(
        float(np.interp(s, curve.s, x)), float(np.interp(s, curve.s, y)), stop.z, 0.0, stop.yaw
    )
    return stop, pole, width, outermost.limit
