"""What a map's lanes must be like for the client to read them: where they are not, it ends its process.

The rules are those its crashes were traced to, no more: what it only warns of is let through.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from worker.simulator.curves import number
from worker.simulator.errors import MapUnreadable

# Metres between a road's length and that of its geometry, and from its end to the start of a section.
APART, SLACK = 10.0, 0.01
JUNCTION = "junction"
# What must begin where its road begins, if it is there at all.
FROM_START = (
    "planView/geometry",
    "lanes/laneOffset",
    "lanes/laneSection",
    "elevationProfile/elevation",
)
Lanes = list[set[int]]


def require_layout(root: Element) -> None:
    """Refuse what starts late on its road, gaps between lanes, and links to what is not there.

    Raises:
        MapUnreadable: names the road, and the lane or the number.
    """
    roads = root.findall("road")
    for road in roads:
        _require_length(road)
        _require_starts(road)
    known = {road.get("id", ""): _lanes_by_section(road) for road in roads}
    for road in roads:
        for lane, target, places in _links(road, known):
            if places and not any(target in place for place in places):
                raise MapUnreadable(
                    f"lane {lane} of road {road.get('id')} is linked to lane {target}, which is not "
                    "there: correct the link"
                )
    _require_known(root, roads)


def _require_length(road: Element) -> None:
    drawn = sum(number(each, "length") for each in road.findall("planView/geometry"))
    claimed = number(road, "length")
    if abs(claimed - drawn) > APART or claimed < 0.0:
        raise MapUnreadable(
            f"road {road.get('id')} claims to be {claimed:g} m long, its geometry is {drawn:g} m: "
            "correct its length"
        )


def _require_starts(road: Element) -> None:
    name = f"road {road.get('id')}"
    for path in FROM_START:
        first = road.find(path)
        if first is not None and (start := number(first, "s")) != 0.0:
            raise MapUnreadable(
                f"the first <{first.tag}> of {name} starts at {start:g} m: give one from 0"
            )
    starts = [number(section, "s") for section in _sections(road)]
    ends = [*starts[1:], number(road, "length") + SLACK]
    for start, end in zip(starts, ends, strict=False):
        if start >= end:
            raise MapUnreadable(
                f"a <laneSection> of {name} starts at {start:g} m, what follows at {end:g} m: sort them, "
                "each before the road's end"
            )


def _require_known(root: Element, roads: Sequence[Element]) -> None:
    """Signals that roads and the controllers of junctions refer to, and roads that junctions connect."""
    signals = {signal.get("id") for road in roads for signal in road.iterfind("signals/signal")}
    used = {each.get("id") for each in root.iterfind("junction/controller")}
    for controller in root.findall("controller"):
        for control in controller.findall("control") if controller.get("id") in used else ():
            if (signal := control.get("signalId")) not in signals:
                raise MapUnreadable(
                    f"controller {controller.get('id')} refers to signal {signal}, which is not there"
                )
    for road in roads:
        for reference in road.iterfind("signals/signalReference"):
            if reference.get("id") not in signals:
                raise MapUnreadable(
                    f"road {road.get('id')} refers to signal {reference.get('id')}, which is not there"
                )
    identities = {road.get("id") for road in roads}
    for connection in root.iterfind("junction/connection"):
        if (connecting := connection.get("connectingRoad")) not in identities:
            raise MapUnreadable(f"a junction connects by road {connecting}, which is not there")


def _sections(road: Element) -> list[Element]:
    return road.findall("lanes/laneSection")


def _lanes_by_section(road: Element) -> Lanes:
    """The lanes' numbers, section by section."""
    return [_numbers(road, section) for section in _sections(road)]


def _numbers(road: Element, section: Element) -> set[int]:
    found = {int(number(lane, "id")): lane for lane in section.iterfind("*/lane")}
    for identity, lane in found.items():
        name = f"lane {identity} of road {road.get('id')}"
        width = lane.find("width")
        if width is not None and (first := number(width, "sOffset")) > 0.0:
            raise MapUnreadable(f"{name} has a width from {first:g} m only: give it one from 0")
        if lane.get("type") == "driving":
            _require_neighbours(name, identity, found)
    return set(found)


def _require_neighbours(name: str, identity: int, found: Container[int]) -> None:
    step = 1 if identity > 0 else -1
    missing = [other for other in range(0, identity, step) if other not in found]
    if missing:
        raise MapUnreadable(
            f"{name} has no lane {missing[0]} beside it: number lanes from 0 in the middle outwards, "
            "without a gap"
        )


def _links(
    road: Element, known: Mapping[str, Lanes]
) -> Iterator[tuple[int, int, Sequence[set[int]]]]:
    """Lane, the lane it leads to, and the sections one of which must have that; as the client looks it up."""
    own = known[road.get("id", "")]
    for index, section in enumerate(_sections(road)):
        for lane in section.iterfind("*/lane"):
            identity = int(number(lane, "id"))
            way = "successor" if identity <= 0 else "predecessor"
            rest = own[index + 1 :] if identity <= 0 else own[:index]
            beyond = road.find(f"link/{way}")
            link = lane.find(f"link/{way}")
            target = int(number(link, "id")) if link is not None else 0
            if not target:
                continue
            if rest:
                yield identity, target, rest
            elif beyond is not None and beyond.get("elementType") != JUNCTION:
                yield identity, target, known.get(beyond.get("elementId", ""), [])
