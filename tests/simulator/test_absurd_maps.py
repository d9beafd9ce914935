"""Files that are no map, or whose numbers nobody could drive on: refused with the number, not tried."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.simulator.conftest import ROOT, RawClient
from worker.simulator import extent, towns
from worker.simulator.errors import MapUnreadable
from worker.simulator.maps import Catalog
from worker.simulator.opendrive import parse
from worker.simulator.raster import paint
from worker.simulator.server import make_world

ROAD = """<road id="{id}" length="30" junction="-1"><type s="0"><speed max="{speed}" unit="m/s"/></type>
<planView><geometry s="0" x="{x}" y="0" hdg="0" length="{length}">{shape}</geometry></planView>
<elevationProfile><elevation s="0" a="{height}"/></elevationProfile>
<lanes><laneSection s="0"><center><lane id="0"/></center><right><lane id="-1" type="driving">
<width sOffset="{offset}" a="{width}" b="{widening}"/><roadMark sOffset="0" type="solid" width="{line}"/>
<roadMark sOffset="{mark}" type="solid"/></lane></right></laneSection></lanes>
<signals><signal s="{signal}" t="{pole}" id="1" type="1000001"/></signals></road>"""
SOUND = {
    "id": 1,
    "speed": 10,
    "x": 0,
    "length": 30,
    "shape": "<line/>",
    "height": 0,
    "offset": 0,
    "width": 3,
    "widening": 0,
    "line": 0.15,
    "mark": 10,
    "signal": 10,
    "pole": 0,
}


def document(*roads: dict[str, object]) -> str:
    return f"<OpenDRIVE>{''.join(ROAD.format(**SOUND | road) for road in roads)}</OpenDRIVE>"


def test_the_road_these_tests_bend_is_sound() -> None:
    found = parse(document({}))
    assert len(found.signals) == 1
    assert paint(found, 0).cells.any()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            {"length": "1e6"},
            "1,000 km long in all, the simulator takes 200 km: give a smaller part",
        ),
        ({"length": "1e9"}, "between -10,000,000 and 10,000,000 in 'length', found '1e9'"),
        ({"length": "nan"}, "needs a number in 'length', found 'nan'"),
        ({"length": "inf"}, "needs a number in 'length', found 'inf'"),
        ({"length": "9" * 9999}, "needs a number in 'length', found '9{80}'"),
        ({"length": "-5"}, "length -5 m: give one above 0"),
        ({"length": ""}, "needs a number in 'length', found ''"),
        ({"x": "1e300"}, "in 'x', found '1e300'"),
        ({"width": "1e5"}, "lane -1 of road 1 is 1e+05 m wide, the simulator takes 50 m"),
        ({"widening": "1e7"}, "m wide, the simulator takes 50 m: correct its polynomials"),
        ({"offset": "-inf"}, "in 'sOffset', found '-inf'"),
        ({"height": "1e6"}, "m high, the simulator takes 10,000 m"),
        ({"line": "1e6"}, "between -5 and 5 in 'width', found '1e6'"),
        ({"speed": "1000000"}, "in 'max', found '1000000'"),
        ({"pole": "1e6"}, "between -200 and 200 in 't'"),
        ({"shape": '<poly3 a="0" b="0" c="1e6" d="1e6"/>'}, "km, the simulator takes 50 square km"),
        ({"id": "1e99"}, "in 'id', found '1e99'"),
    ],
)
def test_a_number_nobody_could_drive_on_is_refused_with_the_remedy(
    number: dict[str, object], words: str
) -> None:
    with pytest.raises(MapUnreadable, match=words.replace("+", r"\+")):
        parse(document(number))


def test_two_roads_far_apart_are_refused_by_the_ground_between_them() -> None:
    with pytest.raises(MapUnreadable, match=r"covers 1,000 by 0\.003 km, the simulator takes"):
        parse(document({}, {"id": 2, "x": 999_970}))


def test_more_lanes_points_or_signals_than_fit_are_refused_by_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = document({})
    for bound, most, words in (
        ("MOST_LANES", 1, "more than 1 lanes in all: give a smaller part"),
        ("MOST_POINTS", 100, "more than 100 points of lanes, every half metre, in all"),
        ("MOST_SIGNALS", 0, "it has 1 signals, the simulator takes 0"),
    ):
        with monkeypatch.context() as changed, pytest.raises(MapUnreadable, match=words):
            changed.setattr(extent, bound, most)
            parse(text)


def test_a_line_painted_from_beyond_the_end_of_its_lane_takes_no_memory() -> None:
    tracemalloc.start()
    paint(parse(document({"mark": "9999999"})), 0)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000
    tracemalloc.stop()


def test_identities_may_be_as_long_as_those_of_open_street_map() -> None:
    assert parse(document({"id": 123_456_789_012})).lanes[0].road == 123_456_789_012


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an OpenDRIVE document: no element found"),
        (b"\x00\xff\xfe\x7fELF", "byte 1 is not UTF-8: save the file in that encoding"),
        ("<OpenDRIVE name='Straße'/>".encode("latin-1"), "is not UTF-8"),
        (b"\x00" * 100, "not an OpenDRIVE document"),
        (b"speed: 30\n", "not an OpenDRIVE document: syntax error.*give an .xodr file"),
        (b"<OpenDRIVE><road>", "not an OpenDRIVE document: no element found"),
        (b"<html><body/></html>", "<html> with 0 roads has no driving lane"),
        (b"<OpenDRIVE><road id='1' length='5'/></OpenDRIVE>", "road 1 has no <planView>"),
        (document({"length": "nan"}).encode(), "'length', found 'nan'"),
    ],
)
def test_a_file_that_is_no_map_is_refused_by_its_name(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "mine.xodr"
    path.write_bytes(content)
    with pytest.raises(MapUnreadable, match=f"(?s)mine.xodr': .*{words}"):
        make_world(str(path), 0)


def test_a_file_too_large_to_be_a_map_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.xodr"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(MapUnreadable, match="1,000,000 MB are more than 64 MB: give a smaller map"):
        make_world(str(path), 0)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.xodr"
    path.symlink_to("/dev/zero")
    with pytest.raises(MapUnreadable, match="it is a device or a pipe: give an ordinary file"):
        make_world(str(path), 0)


def test_a_text_whose_entities_explode_is_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f'<!ENTITY {name} "{f"&{inner};" * 10}">'
    with pytest.raises(MapUnreadable, match="limit on input amplification"):
        parse(f"{bomb}]><x>&i;</x>")


def test_the_command_ends_with_a_sentence_and_code_1(tmp_path: Path) -> None:
    path = tmp_path / "mine.xodr"
    path.write_text(document({"length": "1e6"}))
    command = [sys.executable, "-m", "worker.simulator", "--port", "0", "--map", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pitwall simulator: map '{path}': its roads are 1,000 km long in all")


def test_a_client_is_told_and_the_world_it_has_stays(raw: RawClient) -> None:
    before = raw.value("get_episode_info")[0]
    _, result = raw.call("copy_opendrive_to_file", document({"length": "1e6"}), [])
    assert "1,000 km long" in result[0][1][0]
    assert raw.value("get_episode_info")[0] == before
    assert "OpenDriveMap" not in str(raw.value("get_available_maps"))


def test_a_byte_order_mark_is_no_part_of_a_map(tmp_path: Path) -> None:
    path = tmp_path / "mine.xodr"
    path.write_text(towns.oval(), encoding="utf-8-sig")
    assert make_world(str(path), 0).map.text == towns.oval()


def test_a_file_named_like_a_built_in_map_has_its_own_spawn_points(tmp_path: Path) -> None:
    path = tmp_path / "town.xodr"
    path.write_text(towns.oval())
    assert make_world(str(path), 0).map.spawn_points == Catalog().load("oval").spawn_points
