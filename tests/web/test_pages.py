"""Every page answers on both databases, whole before any script, and says the state in words."""

import re
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.database import Database
from backend.runs.attempts import fail
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, get_run
from backend.settings import Settings
from backend.web.sparklines import polyline
from backend.web.statics import PLOTLY_PATH
from tests.web.conftest import TOKEN
from tests.web.scripted import NOW, ScriptedTrainer, claimed_run, fleet, saved_checkpoint

RUN_PAGES = ("", "/gates", "/checkpoints", "/episodes", "/log", "/config")


@pytest.fixture
def trainer(database: Database) -> ScriptedTrainer:
    with database.write() as session:
        run = create_run(session, "<i>odd</i> name", "quickstart", parse_config("quickstart"), NOW)
    claimed_run(database)

    with database.write() as session:
        fleet.register_simulator(session, "127.0.0.1", 2004, NOW, "w1", "0.9.16", embedded=True)
    trainer = ScriptedTrainer(database, run.id)
    assert trainer.claim(NOW)
    trainer.advance(1200, time.time())
    trainer.save("interval", time.time(), is_best=True, evaluation_return=12.5)
    return trainer


def test_every_page_stands_without_a_script(browser: TestClient, trainer: ScriptedTrainer) -> None:
    for path in (
        "/",
        "/runs/new",
        "/workers",
        "/settings",
        "/compare",
        "/compare?runs=1,2",
        *(f"/runs/{trainer.run_id}{page}" for page in RUN_PAGES),
        f"/runs/{trainer.run_id}/checkpoints/1/rollback",
    ):
        response = browser.get(path)
        assert response.status_code == 200, path
        assert response.text.count("<h1") == 1, path
        assert "<i>odd" not in response.text, path


def test_a_run_page_says_state_verdict_progress_and_only_legal_actions(
    browser: TestClient, trainer: ScriptedTrainer
) -> None:
    html = browser.get(f"/runs/{trainer.run_id}").text
    assert re.search(r"<title>TOO EARLY · running · &lt;i&gt;odd", html)
    assert "icons/quiet.svg" in html
    assert "1,200" in html
    assert f'action="/runs/{trainer.run_id}/halt"' in html
    assert f'action="/runs/{trainer.run_id}/resume"' not in html
    assert html.index("verdict-word") < html.index("<metric-chart")


def test_a_run_page_has_the_pre_flights_result_or_says_why_there_is_none(
    browser: TestClient, trainer: ScriptedTrainer, database: Database
) -> None:
    def card() -> str:
        html = browser.get(f"/runs/{trainer.run_id}").text
        return html[html.index("<h2>Pre-flight") :].split("</section>")[0]

    assert "every phase is tried once" in card()
    found = {"preflight": "passed in 5.0 s", "expected_time": "about 2 min", "other": "hidden"}
    with database.write() as session:
        get_run(session, trainer.run_id).observed = found
    assert re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", card()) == [
        ("Result", "passed in 5.0 s"),
        ("Time", "about 2 min"),
    ]
    with database.write() as session:
        get_run(session, trainer.run_id).observed = {}
        fail(session, trainer.run_id, trainer.token, "pre-flight: evaluation failed: odd", NOW)
    assert "pre-flight: evaluation failed: odd" in card()


def test_buttons_work_without_a_script(browser: TestClient, database: Database) -> None:
    run_id, token = claimed_run(database)
    response = browser.post(f"/runs/{run_id}/checkpoint")
    assert (response.status_code, response.headers["Location"]) == (303, f"/runs/{run_id}")
    assert "checkpoint asked" in browser.get(f"/runs/{run_id}").text
    assert browser.post(f"/runs/{run_id}/halt").status_code == 303
    assert "halting" in browser.get(f"/runs/{run_id}").text
    with database.write() as session:
        fail(session, run_id, token, "refused by the reward probes", NOW)
    page = browser.get(f"/runs/{run_id}").text
    assert "refused by the reward probes" in page
    assert "failed" in page
    assert browser.post(f"/runs/{run_id}/resume").status_code == 303
    assert browser.post(f"/runs/{run_id}/cancel").status_code == 303
    refused = browser.post(f"/runs/{run_id}/halt")
    assert refused.status_code == 409
    assert "it cannot halt now" in refused.text


def test_the_rollback_page_says_what_is_left_behind(
    browser: TestClient, database: Database, trainer: ScriptedTrainer
) -> None:
    trainer.advance(300, time.time())
    trainer.save("manual", time.time())
    html = browser.get(f"/runs/{trainer.run_id}/checkpoints/1/rollback").text
    numbers = re.findall(r"<dt>(steps|episodes|checkpoints after it)</dt><dd>([\d,]+)</dd>", html)
    assert numbers == [("steps", "300"), ("episodes", "6"), ("checkpoints after it", "1")]
    answer = browser.post(f"/runs/{trainer.run_id}/rollback", data={"checkpoint_id": 1})
    assert answer.status_code == 303
    assert browser.get(f"/runs/{trainer.run_id}/checkpoints/99/rollback").status_code == 404


def test_a_verdict_of_before_a_rollback_says_so_until_the_run_is_judged_anew(
    browser: TestClient, trainer: ScriptedTrainer
) -> None:
    said, address = "Said before it was stopped or went back", f"/runs/{trainer.run_id}"
    assert said not in browser.get(address).text
    browser.post(f"{address}/rollback", data={"checkpoint_id": 1})
    assert not trainer.obey(time.time())
    assert said in browser.get(address).text
    assert trainer.claim(time.time())
    trainer.advance(300, time.time())
    assert said not in browser.get(address).text


def test_checkpoints_are_pinned_from_their_page(browser: TestClient, database: Database) -> None:
    run_id, token = claimed_run(database)
    checkpoint = saved_checkpoint(database, run_id, token, step=10)
    address = f"/runs/{run_id}/checkpoints"
    assert browser.post(f"{address}/{checkpoint}/pin").headers["Location"] == address
    assert "Unpin" in browser.get(address).text
    browser.post(f"{address}/{checkpoint}/pin")
    assert "Unpin" not in browser.get(address).text


def test_the_table_of_runs_is_filtered_and_sorted_by_its_address(
    browser: TestClient, database: Database
) -> None:
    with database.write() as session:
        for name in ("beta", "alpha", "gamma"):
            create_run(session, name, "quickstart", parse_config("quickstart"), NOW)
    browser.post("/runs/1/halt")

    def names(path: str) -> list[str]:
        return re.findall(r'<a href="/runs/\d+">(\w+)</a>', browser.get(path).text)

    assert names("/") == ["gamma", "alpha", "beta"]
    assert names("/?sort=name") == ["alpha", "beta", "gamma"]
    assert names("/?q=AL") == ["alpha"]
    assert names("/?state=halted") == ["beta"]
    assert "No run matches" in browser.get("/?q=zzz").text
    assert names("/?state=nonsense&sort=nonsense") == ["gamma", "alpha", "beta"]


def test_empty_pages_teach(browser: TestClient, database: Database) -> None:
    assert "Start the quickstart" in browser.get("/").text
    assert "No worker is alive" in browser.get("/workers").text


def test_a_server_that_does_not_answer_is_named_with_the_reason(
    browser: TestClient, api: TestClient, database: Database
) -> None:
    with database.write() as session:
        fleet.list_unfit(session, "carla", 2000, NOW, "nothing listens on carla:2000: start it")
    shown = browser.get("/workers").text
    assert "not usable" in shown
    assert "nothing listens on carla:2000: start it" in shown
    assert "never" in shown
    assert "1 not usable" in browser.get("/").text
    assert api.get("/api/v1/simulators").json()[0]["problem"].startswith("nothing listens")
    browser.post("/runs", data={"preset": "quickstart"})
    assert "No checkpoint yet" in browser.get("/runs/1/checkpoints").text
    assert "No rule has answered yet" in browser.get("/runs/1/gates").text
    assert "No points yet" in browser.get("/runs/1").text


def test_statics_and_plotly_are_immutable_and_compressed_once(browser: TestClient) -> None:
    html = browser.get("/runs/new").text
    assert ":root" in html[: html.index("</style>")]
    (module,) = set(re.findall(r'src="(/static/\w+/js/page.js)"', html))
    script = browser.get(module)
    assert "immutable" in script.headers["Cache-Control"]
    assert "javascript" in script.headers["Content-Type"]
    assert browser.get(module.replace("page", "nope")).status_code == 404
    assert browser.get("/static/../pyproject.toml").status_code == 404

    response = browser.get(PLOTLY_PATH)
    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]


def test_a_first_page_is_light_with_its_styles_in_it(
    browser: TestClient, trainer: ScriptedTrainer
) -> None:
    response = browser.get(f"/runs/{trainer.run_id}", headers={"Accept-Encoding": "gzip"})
    assert int(response.headers["Content-Length"]) < 25_000


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ([], ""),
        ([1.0], ""),
        ([0.0, 1.0], "0.0,26.0 120.0,2.0"),
        ([3.0, 3.0, 3.0], "0.0,26.0 60.0,26.0 120.0,26.0"),
        ([0.0, float("nan"), 1.0], "0.0,26.0 120.0,2.0"),
    ],
)
def test_sparklines_fill_their_box(values: list[float], points: str) -> None:
    assert polyline(values) == points


def test_settings_are_shown_without_their_secrets(
    settings: Settings, browser: TestClient, app: FastAPI
) -> None:
    secret = "redis://user:hunter2@broker:6379/0"
    app.state.settings = settings.model_copy(update={"broker_url": secret})
    html = browser.get("/settings").text
    assert "redis://user:***@broker:6379/0" in html
    assert "hunter2" not in html
    assert TOKEN not in html
