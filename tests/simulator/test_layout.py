"""Maps on which the client ends its process or gives up: refused before any client is given them.

Each of these was tried with `carla.Map` of 0.9.16: it died with SIGSEGV, raised, or sampled for ever.
"""

import carla
import pytest

from worker.simulator import towns
from worker.simulator.errors import MapUnreadable
from worker.simulator.opendrive import parse

LANE = '<lane id="{}" type="driving"><link>{}</link><width sOffset="{}" a="3"/><roadMark sOffset="0"/></lane>'
CENTER = '<center><lane id="0"><roadMark sOffset="0"/></lane></center>'
SECTION = '<laneSection s="{}">{}<right>{}</right></laneSection>'
ROAD = """<OpenDRIVE><road id="7" length="{length}" junction="-1"><link>{link}</link>
<planView><geometry s="{geometry}" x="0" y="0" hdg="0" length="60"><line/></geometry></planView>
<elevationProfile><elevation s="{elevation}" a="0"/></elevationProfile>
<lanes><laneOffset s="{offset}" a="0"/>{sections}</lanes>{signals}</road>{junction}</OpenDRIVE>"""
SOUND = {
    "length": 60,
    "link": "",
    "geometry": 0,
    "elevation": 0,
    "offset": 0,
    "sections": SECTION.format(0, CENTER, LANE.format(-1, "", 0)),
    "signals": "",
    "junction": "",
}
ITSELF = '<successor elementType="road" elementId="7" contactPoint="start"/>'
TO_LANE_5 = '<successor id="-5"/>'


def section(
    start: float, link: str = "", center: str = CENTER, lane: int = -1, width: int = 0
) -> str:
    return SECTION.format(start, center, LANE.format(lane, link, width))


def test_the_road_these_tests_bend_is_read_by_the_client_too() -> None:
    text = ROAD.format(**SOUND)
    assert len(parse(text).lanes) == 2
    assert carla.Map("sound", text).get_waypoint_xodr(7, -1, 30.0).lane_width == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("bent", "words"),
    [
        ({"length": "1e6"}, "road 7 claims to be 1e\\+06 m long, its geometry is 60 m"),
        ({"length": "-5"}, "road 7 claims to be -5 m long"),
        ({"length": "0"}, "road 7 claims to be 0 m long"),
        ({"length": "nan"}, "<road> needs a number in 'length', found 'nan'"),
        ({"geometry": 5}, "the first <geometry> of road 7 starts at 5 m: give one from 0"),
        ({"offset": 5}, "the first <laneOffset> of road 7 starts at 5 m"),
        ({"elevation": 5}, "the first <elevation> of road 7 starts at 5 m"),
        ({"sections": section(5)}, "the first <laneSection> of road 7 starts at 5 m"),
        ({"sections": section(-1)}, "the first <laneSection> of road 7 starts at -1 m"),
        ({"sections": section(0) + section(0)}, "starts at 0 m, what follows at 0 m: sort them"),
        ({"sections": section(0) + section(99)}, "starts at 99 m, what follows at 60.01 m"),
        ({"sections": section(0, center="")}, "lane -1 of road 7 has no lane 0 beside it"),
        ({"sections": section(0, lane=-3)}, "lane -3 of road 7 has no lane -1 beside it"),
        ({"sections": section(0, width=5)}, "has a width from 5 m only: give it one from 0"),
        (
            {"sections": section(0, TO_LANE_5) + section(30)},
            "linked to lane -5, which is not there",
        ),
        ({"sections": section(0, TO_LANE_5), "link": ITSELF}, "linked to lane -5, which is not"),
        (
            {"signals": '<signals><signalReference s="5" t="1" id="99"/></signals>'},
            "road 7 refers to signal 99, which is not there",
        ),
        (
            {
                "junction": '<controller id="3"><control signalId="99"/></controller>'
                '<junction id="5"><controller id="3"/></junction>'
            },
            "controller 3 refers to signal 99, which is not there",
        ),
        (
            {"junction": '<junction id="5"><connection connectingRoad="99"/></junction>'},
            "a junction connects by road 99, which is not there",
        ),
    ],
)
def test_what_the_client_cannot_read_is_refused_by_road_and_lane(
    bent: dict[str, object], words: str
) -> None:
    with pytest.raises(MapUnreadable, match=words):
        parse(ROAD.format(**SOUND | bent))


def test_links_that_the_client_only_ignores_are_let_through() -> None:
    for gone in ('elementId="', 'incomingRoad="'):
        assert parse(towns.town().replace(gone, f"{gone}9999"))
