"""What the trainer saw, over HTTP and on the run's page: shown, kept live, and its absence explained."""

import math
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.database import Database
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from backend.runs.snapshots import FRAME, TRACE, Trace, folder_of
from backend.settings import Settings
from backend.web.scenes import RUN_SCENES
from backend.web.sight import Map
from tests.web.scripted import NOW

TRACED = Trace(
    at=NOW,
    step=1200,
    episode=4,
    picture=True,
    name="town <1>",
    route=[(0.0, 0.0), (100.0, 0.0), (100.0, 60.0)],
    driven=[(0.0, 0.5), (40.0, 0.5)],
    heading=0.0,
    speed=7.25,
    route_percent=25.0,
    termination=None,
    previous="off_route",
)


def new_run(database: Database, preset: str = "vision-small", **config: Any) -> int:
    with database.write() as session:
        return create_run(session, "", preset, parse_config(preset, config), NOW).id


def write(settings: Settings, run_id: int, trace: Trace, frame: bytes | None = b"RIFF") -> Path:
    folder = folder_of(settings.snapshots_folder, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACE).write_text(trace.model_dump_json())
    if frame is not None:
        (folder / FRAME).write_bytes(frame)
    return folder


def test_the_frame_is_an_image_that_nobody_keeps(
    api: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)
    write(settings, run_id, TRACED)
    response = api.get(f"/api/v1/runs/{run_id}/frame?at=1200")
    assert (response.status_code, response.content) == (200, b"RIFF")
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Cache-Control"] == "no-store"


def test_the_trace_is_what_the_trainer_wrote(
    api: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)
    write(settings, run_id, TRACED)
    assert Trace.model_validate(api.get(f"/api/v1/runs/{run_id}/trace").json()) == TRACED


@pytest.mark.parametrize("what", ["frame", "trace"])
def test_what_was_not_written_is_a_problem_that_says_why(
    api: TestClient, database: Database, what: str
) -> None:
    run_id = new_run(database)
    for path in (f"/api/v1/runs/{run_id}/{what}", f"/api/v1/runs/999/{what}"):
        response = api.get(path)
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"
    assert "has not driven" in api.get(f"/api/v1/runs/{run_id}/{what}").json()["detail"]
    assert api.get(f"/api/v1/runs/..%2F..%2Fetc/{what}").status_code in (404, 422)


def test_pictures_are_for_those_who_signed_in(
    stranger: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)
    write(settings, run_id, TRACED)
    assert stranger.get(f"/api/v1/runs/{run_id}/frame").status_code == 401


def test_a_trace_of_another_version_is_no_trace(
    api: TestClient, browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)
    (write(settings, run_id, TRACED) / TRACE).write_text('{"step": 3}')
    assert api.get(f"/api/v1/runs/{run_id}/trace").status_code == 404
    assert browser.get(f"/runs/{run_id}").status_code == 200


def test_the_page_shows_the_picture_and_the_map(
    browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)
    write(settings, run_id, TRACED)
    html = browser.get(f"/runs/{run_id}").text
    assert f'src="/api/v1/runs/{run_id}/frame?at=1200"' in html
    assert 'points="0.0,0.0 100.0,0.0 100.0,60.0"' in html
    assert "7.2 m/s" in html
    assert "off route" in html
    assert "town &lt;1&gt;" in html


@pytest.mark.parametrize(
    ("preset", "config", "reason"),
    [
        ("quickstart", {}, "the policy sees numbers and no camera"),
        ("quickstart", {"environment": "gymnasium:Pendulum-v1"}, "Pendulum-v1 has no camera"),
        ("vision-small", {}, "The picture comes with the first training episode"),
    ],
)
def test_where_there_is_no_picture_the_page_says_why(
    browser: TestClient, database: Database, preset: str, config: dict[str, Any], reason: str
) -> None:
    html = browser.get(f"/runs/{new_run(database, preset, **config)}").text
    assert reason in html
    assert "<img" not in html


def test_a_run_on_numbers_has_its_map_all_the_same(
    browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id = new_run(database, "quickstart")
    write(settings, run_id, TRACED.model_copy(update={"picture": False}), frame=None)
    html = browser.get(f"/runs/{run_id}").text
    assert "<img" not in html
    assert "map-driven" in html


def test_a_new_picture_reaches_the_open_page_under_a_new_address(
    app: FastAPI, database: Database, settings: Settings
) -> None:
    run_id = new_run(database)

    def shown() -> str:
        with database.read() as session:
            query, folder = {"run": str(run_id)}, settings.snapshots_folder
            return RUN_SCENES["charts"].fragments(session, query, NOW, folder)["sight"]

    write(settings, run_id, TRACED)
    first = shown()
    assert shown() == first
    write(settings, run_id, TRACED.model_copy(update={"step": 1260}))
    assert "frame?at=1260" in shown()


def test_the_map_holds_the_whole_route_and_the_car_points_where_it_drives() -> None:
    south = TRACED.model_copy(update={"heading": math.pi / 2})
    drawn = Map.of(south)
    left, top, width, height = (float(value) for value in drawn.view_box.split())
    assert left < 0 < 100 < left + width
    assert top < 0 < 60 < top + height
    nose, *rest = [tuple(map(float, point.split(","))) for point in drawn.car.split()]
    assert nose[0] == pytest.approx(40.0)
    assert all(nose[1] > y for _, y in rest)


def test_a_straight_route_still_has_a_map() -> None:
    straight = TRACED.model_copy(update={"route": [(5.0, 5.0), (5.0, 105.0)]})
    _, _, width, height = (float(value) for value in Map.of(straight).view_box.split())
    assert min(width, height) > 0
