"""Writes the built-in maps as OpenDRIVE: a town of blocks with traffic lights, and an oval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from xml.etree.ElementTree import Element, SubElement, tostring

LANE_WIDTH = 3.5
SIDEWALK_WIDTH = 2.0
# km/h; crossings are taken slowly: the Traffic Manager obeys the limit where it is and does not look ahead.
TOWN_LIMIT, CROSSING_LIMIT, OVAL_LIMIT = 30, 20, 60
GEO_REFERENCE = "+proj=tmerc +lat_0=49 +lon_0=8 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
# Town: crossings on a grid, BLOCK metres apart; arms end CORNER metres before the crossing's middle.
GRID = 3
BLOCK = 120.0
CORNER = 14.0
POLE_OFFSET = LANE_WIDTH + SIDEWALK_WIDTH / 2
OVAL_STRAIGHT, OVAL_RADIUS = 200.0, 50.0

Node = tuple[int, int]


@dataclass(frozen=True)
class Arm:
    """A road as one of its crossings sees it; `heading` points away from the crossing's middle."""

    road: int
    contact: str
    heading: float

    @property
    def incoming_lane(self) -> int:
        return 1 if self.contact == "start" else -1


def town() -> str:
    """Nine crossings in a square: four corners, four T junctions, one X junction; 262 m from the north-west with one turn."""
    root = _document("town")
    arms: dict[Node, list[Arm]] = {(i, j): [] for i in range(GRID) for j in range(GRID)}
    numbers = count(1)
    streets = [(a, b, next(numbers)) for a in arms for b in _neighbours(a) if b in arms]
    for a, b, number in streets:
        heading = math.atan2(b[1] - a[1], b[0] - a[0])
        arms[a].append(Arm(number, "start", heading))
        arms[b].append(Arm(number, "end", heading + math.pi))
    junctions = {node: 1000 + index for index, node in enumerate(arms)}
    lit = {node for node, around in arms.items() if len(around) > 2}
    for a, b, number in streets:
        _street(root, number, (a, b), junctions, lit)
    connectors = count(200)
    for node, around in arms.items():
        for arm in around:
            for other in around:
                if arm is not other:
                    _connector(root, next(connectors), node, junctions[node], arm, other)
    for node in sorted(lit):
        for arm in arms[node]:
            _controller(root, node, arm)
    first = count(200)
    for node, around in arms.items():
        _junction(root, junctions[node], around, first, node in lit)
    return _text(root)


def oval() -> str:
    """A closed ring of two straights and two half circles, two lanes each way."""
    root = _document("oval")
    bend = math.pi * OVAL_RADIUS
    pieces = [
        (0.0, 0.0, 0.0, OVAL_STRAIGHT, 0.0),
        (OVAL_STRAIGHT, 0.0, 0.0, bend, 1.0 / OVAL_RADIUS),
        (OVAL_STRAIGHT, 2 * OVAL_RADIUS, math.pi, OVAL_STRAIGHT, 0.0),
        (0.0, 2 * OVAL_RADIUS, math.pi, bend, 1.0 / OVAL_RADIUS),
    ]
    for index, (x, y, heading, length, curvature) in enumerate(pieces):
        road = _road(root, index + 1, -1, length, OVAL_LIMIT)
        link = SubElement(road, "link")
        _link(link, "predecessor", "road", (index - 1) % 4 + 1, "end")
        _link(link, "successor", "road", (index + 1) % 4 + 1, "start")
        _geometry(road, x, y, heading, length, curvature)
        _oval_lanes(road)
    return _text(root)


def _document(name: str) -> Element:
    root = Element("OpenDRIVE")
    header = SubElement(root, "header", revMajor="1", revMinor="4", name=name, version="1")
    SubElement(header, "geoReference").text = GEO_REFERENCE
    return root


def _text(root: Element) -> str:
    return '<?xml version="1.0" standalone="yes"?>\n' + tostring(root, encoding="unicode")


def _neighbours(node: Node) -> Iterator[Node]:
    yield node[0] + 1, node[1]
    yield node[0], node[1] + 1


def _number(value: float) -> str:
    return f"{value:.9g}"


def _road(root: Element, number: int, junction: int, length: float, limit: int) -> Element:
    road = SubElement(
        root,
        "road",
        name=f"road {number}",
        id=str(number),
        length=_number(length),
        junction=str(junction),
    )
    kind = SubElement(road, "type", s="0", type="town")
    SubElement(kind, "speed", max=str(limit), unit="km/h")
    return road


def _link(link: Element, tag: str, kind: str, number: int, contact: str = "") -> None:
    element = SubElement(link, tag, elementType=kind, elementId=str(number))
    if contact:
        element.set("contactPoint", contact)


def _geometry(
    road: Element, x: float, y: float, heading: float, length: float, curvature: float = 0.0
) -> None:
    geometry = SubElement(
        SubElement(road, "planView"),
        "geometry",
        s="0",
        x=_number(x),
        y=_number(y),
        hdg=_number(heading),
        length=_number(length),
    )
    if curvature:
        SubElement(geometry, "arc", curvature=_number(curvature))
    else:
        SubElement(geometry, "line")
    SubElement(road, "elevationProfile")
    SubElement(road, "lateralProfile")


def _lane(
    side: Element, number: int, kind: str, mark: str, links: tuple[int, int] | None = None
) -> None:
    lane = SubElement(side, "lane", id=str(number), type=kind, level="false")
    if number:
        link = SubElement(lane, "link")
        for tag, other in zip(("predecessor", "successor"), links or (), strict=False):
            SubElement(link, tag, id=str(other))
        width = LANE_WIDTH if kind == "driving" else SIDEWALK_WIDTH
        SubElement(lane, "width", sOffset="0", a=_number(width), b="0", c="0", d="0")
    SubElement(
        lane,
        "roadMark",
        sOffset="0",
        type=mark,
        weight="standard",
        color="yellow" if number == 0 else "standard",
        width="0.15",
        laneChange="both" if mark == "broken" and number else "none",
    )


def _section(road: Element) -> tuple[Element, Element, Element]:
    section = SubElement(SubElement(road, "lanes"), "laneSection", s="0")
    return tuple(SubElement(section, side) for side in ("left", "center", "right"))  # type: ignore[return-value]


def _street(
    root: Element, number: int, ends: tuple[Node, Node], junctions: dict[Node, int], lit: set[Node]
) -> None:
    (ax, ay), (bx, by) = ends
    heading = math.atan2(by - ay, bx - ax)
    length = BLOCK - 2 * CORNER
    road = _road(root, number, -1, length, TOWN_LIMIT)
    link = SubElement(road, "link")
    _link(link, "predecessor", "junction", junctions[ends[0]])
    _link(link, "successor", "junction", junctions[ends[1]])
    x = ax * BLOCK + CORNER * math.cos(heading)
    y = ay * BLOCK + CORNER * math.sin(heading)
    _geometry(road, x, y, heading, length)
    left, center, right = _section(road)
    _lane(left, 2, "sidewalk", "none")
    _lane(left, 1, "driving", "solid")
    _lane(center, 0, "none", "broken")
    _lane(right, -1, "driving", "solid")
    _lane(right, -2, "sidewalk", "none")
    signals = SubElement(road, "signals")
    for node, contact, s in ((ends[0], "start", 0.0), (ends[1], "end", length)):
        if node in lit:
            _signal(signals, number, contact, s)


def _signal_id(road: int, contact: str) -> str:
    return str(5000 + 2 * road + (contact == "end"))


def _signal(signals: Element, road: int, contact: str, s: float) -> None:
    ahead = contact == "end"
    signal = SubElement(
        signals,
        "signal",
        name="Signal_3Light_Post01",
        id=_signal_id(road, contact),
        s=_number(s),
        t=_number(-POLE_OFFSET if ahead else POLE_OFFSET),
        zOffset="0",
        hOffset="0",
        roll="0",
        pitch="0",
        orientation="+" if ahead else "-",
        dynamic="yes",
        country="OpenDRIVE",
        type="1000001",
        subtype="-1",
        value="-1",
        text="",
        height="0.7",
        width="0.4",
    )
    lane = "-1" if ahead else "1"
    SubElement(signal, "validity", fromLane=lane, toLane=lane)


def _connector(root: Element, number: int, node: Node, junction: int, arm: Arm, other: Arm) -> None:
    """The lane from one arm into another; its reference line joins the arms' middles."""
    road = _road(root, number, junction, _length(arm, other), CROSSING_LIMIT)
    link = SubElement(road, "link")
    _link(link, "predecessor", "road", arm.road, arm.contact)
    _link(link, "successor", "road", other.road, other.contact)
    x = node[0] * BLOCK + CORNER * math.cos(arm.heading)
    y = node[1] * BLOCK + CORNER * math.sin(arm.heading)
    turn = _turn(arm, other)
    length = _length(arm, other)
    _geometry(road, x, y, arm.heading + math.pi, length, turn / length)
    _, center, right = _section(road)
    _lane(center, 0, "none", "none")
    _lane(right, -1, "driving", "none", (arm.incoming_lane, -other.incoming_lane))


def _turn(arm: Arm, other: Arm) -> float:
    turn = math.remainder(other.heading - arm.heading - math.pi, math.tau)
    return 0.0 if abs(turn) < 1e-6 else turn


def _length(arm: Arm, other: Arm) -> float:
    return CORNER * abs(_turn(arm, other)) or 2 * CORNER


def _controller(root: Element, node: Node, arm: Arm) -> None:
    number = _signal_id(arm.road, arm.contact)
    controller = SubElement(
        root, "controller", name=f"crossing {node[0]} {node[1]}", id=number, sequence="0"
    )
    SubElement(controller, "control", signalId=number, type="0")


def _junction(
    root: Element, number: int, around: list[Arm], connectors: Iterator[int], lit: bool
) -> None:
    junction = SubElement(root, "junction", id=str(number), name=f"junction {number}")
    index = count()
    for arm in around:
        for other in around:
            if arm is other:
                continue
            connection = SubElement(
                junction,
                "connection",
                id=str(next(index)),
                incomingRoad=str(arm.road),
                connectingRoad=str(next(connectors)),
                contactPoint="start",
            )
            SubElement(connection, "laneLink", {"from": str(arm.incoming_lane), "to": "-1"})
    for arm in around if lit else ():
        SubElement(junction, "controller", id=_signal_id(arm.road, arm.contact), type="0")


def _oval_lanes(road: Element) -> None:
    left, center, right = _section(road)
    for side, sign in ((left, 1), (right, -1)):
        inner, outer, walk = sign, 2 * sign, 3 * sign
        order = (
            (walk, "sidewalk", "none"),
            (outer, "driving", "solid"),
            (inner, "driving", "broken"),
        )
        for number, kind, mark in order if sign > 0 else reversed(order):
            _lane(side, number, kind, mark, (number, number))
    _lane(center, 0, "none", "solid")
