"""Our reading of OpenDRIVE against the client's own, and the built-in maps."""

import math
from pathlib import Path
from xml.etree import ElementTree

import carla
import networkx as nx
import pytest

from worker.simulator import towns
from worker.simulator.errors import MapUnknown, MapUnreadable
from worker.simulator.geodesy import Geodesy
from worker.simulator.maps import Catalog
from worker.simulator.opendrive import parse
from worker.simulator.server import make_world

# Every kind of reference line, a height profile and a lane offset, in one road each.
CURVED = """<OpenDRIVE><header><geoReference><![CDATA[+proj=tmerc +lat_0=42 +lon_0=3]]></geoReference></header>
<road id="1" length="30" junction="-1"><planView>
<geometry s="0" x="5" y="-3" hdg="0.4" length="30">{shape}</geometry></planView>
<elevationProfile><elevation s="0" a="1" b="0.02" c="0" d="0"/></elevationProfile>
<lanes><laneOffset s="0" a="0.5" b="0" c="0" d="0"/><laneSection s="0">
<center><lane id="0" type="none" level="false"/></center>
<right><lane id="-1" type="driving" level="false"><width sOffset="0" a="3" b="0.01" c="0" d="0"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"""
SHAPES = {
    "line": "<line/>",
    "arc": '<arc curvature="0.02"/>',
    "spiral": '<spiral curvStart="0" curvEnd="0.03"/>',
    "cubic": '<paramPoly3 aU="0" bU="30" cU="0" dU="0" aV="0" bV="0" cV="3" dV="-1" pRange="normalized"/>',
}


@pytest.mark.parametrize("name", ["town", "oval"])
def test_lanes_lie_where_the_client_finds_them(name: str) -> None:
    text = getattr(towns, name)()
    theirs = carla.Map(name, text)
    for lane in parse(text).driving:
        for share in (0.1, 0.5, 0.9):
            pose = lane.pose(share * lane.length)
            s = lane.curve.s[0] + (share if lane.id < 0 else 1 - share) * lane.length
            waypoint = theirs.get_waypoint_xodr(lane.road, lane.id, float(s))
            found = waypoint.transform
            assert math.hypot(found.location.x - pose.x, found.location.y - pose.y) < 0.02
            assert abs(math.remainder(found.rotation.yaw - pose.yaw, 360.0)) < 0.2
            assert waypoint.lane_width == pytest.approx(3.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_curves_lie_where_the_client_finds_them(shape: str) -> None:
    text = CURVED.format(shape=SHAPES[shape])
    theirs = carla.Map("curve", text)
    lane = next(parse(text).driving)
    for s in (3.0, 14.0, 27.0):
        found, pose = theirs.get_waypoint_xodr(1, -1, s).transform, lane.pose(s)
        assert math.hypot(found.location.x - pose.x, found.location.y - pose.y) < 0.1
        assert pose.z == pytest.approx(found.location.z, abs=0.05)


@pytest.mark.parametrize("name", ["town", "oval"])
def test_every_lane_leads_to_every_other_that_runs_its_way(name: str) -> None:
    graph = nx.DiGraph()
    for start, end in carla.Map(name, getattr(towns, name)()).get_topology():
        graph.add_edge((start.road_id, start.lane_id), (end.road_id, end.lane_id))
    components = list(nx.strongly_connected_components(graph))
    assert len(components) == (1 if name == "town" else 4)


def test_the_first_spawn_points_start_and_end_the_routes() -> None:
    loaded = Catalog().load("town")
    start, end = loaded.spawn_points[:2]
    assert (start.x, start.y, start.yaw) == (16.0, -238.25, 0.0)
    # 90 m straight, a right turn of lane radius 12.25 m, then straight.
    route = 90.0 + 12.25 * math.pi / 2 + (end.y + 226.0)
    assert route == pytest.approx(262.2, abs=0.1)


@pytest.mark.parametrize("name", ["town", "oval"])
def test_a_car_fits_on_every_spawn_point(name: str) -> None:
    world = make_world(name, 0)
    for point in world.map.spawn_points:
        car = world.spawn("vehicle.tesla.model3", {}, point, 1)
        world.destroy(car.id)


def test_every_crossing_of_three_roads_or_more_has_a_light_per_approach() -> None:
    signals = parse(towns.town()).signals
    junctions = [signal.junction for signal in signals]
    assert sorted(junctions.count(each) for each in set(junctions)) == [3, 3, 3, 3, 4]


def test_a_file_is_a_map_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "ring.xodr"
    path.write_text(towns.oval())
    assert make_world(str(path), 0).map.name == "ring"


def test_what_is_no_map_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(MapUnknown, match=r"missing\.xodr"):
        make_world(str(tmp_path / "missing.xodr"), 0)
    with pytest.raises(MapUnknown, match="town, oval"):
        make_world("Town99", 0)
    root = ElementTree.fromstring(towns.oval())
    for geometry in root.iter("geometry"):
        del geometry.attrib["length"]
    with pytest.raises(MapUnreadable, match="length"):
        parse(ElementTree.tostring(root, encoding="unicode"))
    with pytest.raises(MapUnreadable, match="no driving lane"):
        parse("<OpenDRIVE/>")


def test_the_speed_limit_is_that_of_the_lane_below() -> None:
    ground = Catalog().load("town").ground
    assert ground.limit(60.0, -238.25) == 30.0
    assert ground.limit(118.25, -118.25) == 20.0
    assert ground.limit(-1000.0, 0.0, 42.0) == 42.0


def test_latitude_is_the_clients() -> None:
    text = towns.town()
    place = carla.Map("town", text).transform_to_geolocation(carla.Location(118.25, -73.0, 2.0))
    latitude, longitude, altitude = Geodesy.of(text).locate(118.25, -73.0, 2.0)
    assert latitude == pytest.approx(place.latitude, abs=1e-6)
    assert longitude == pytest.approx(place.longitude, abs=1e-6)
    assert altitude == 2.0
