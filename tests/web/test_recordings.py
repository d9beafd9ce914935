"""Recorded evaluations on the page of episodes and over HTTP; and the scatter of episodes beside them."""

from pathlib import Path

from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.database import Database
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from backend.settings import Settings
from backend.web.scatter import HEIGHT, WIDTH, scatter_of
from tests.web.recorded import record_evaluation
from tests.web.scripted import NOW, ScriptedTrainer, fleet


def trained_run(database: Database, **config: object) -> int:
    with database.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 2, NOW)
        fleet.register_simulator(session, "127.0.0.1", 2000, NOW, "w1", "0.9.16")
        run = create_run(session, "", "quickstart", parse_config("quickstart", config), NOW)
    trainer = ScriptedTrainer(database, run.id)
    trainer.claim(NOW)
    trainer.advance(300, NOW)
    return run.id


def test_the_newest_recording_is_shown_and_an_older_one_when_asked_for(
    browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id = trained_run(database)
    older = record_evaluation(settings.snapshots_folder, run_id, 5000, 1_700_000_000, failed=3)
    newest = record_evaluation(settings.snapshots_folder, run_id, 10_000, 1_700_000_100)
    text = browser.get(f"/runs/{run_id}/episodes").text
    assert 'id="newest-recording"' in text
    assert "5 of 6 reached the goal" in text
    assert f"{newest}-5.webp" in text
    text = browser.get(f"/runs/{run_id}/episodes?recording={older}").text
    assert 'id="newest-recording"' not in text
    assert "3 of 6 reached the goal" in text
    unknown = browser.get(f"/runs/{run_id}/episodes?recording=step-000000001-1000000000").text
    assert "5 of 6 reached the goal" in unknown


def test_recordings_and_films_are_served_by_name_and_nothing_else_is(
    api: TestClient, database: Database, settings: Settings
) -> None:
    run_id = trained_run(database)
    name = record_evaluation(settings.snapshots_folder, run_id, 5000, 1_700_000_000)
    (settings.data / "token").write_text("secret")
    base = f"/api/v1/runs/{run_id}/recordings"
    assert api.get(base).json() == [name]
    assert len(api.get(f"{base}/{name}").json()["episodes"]) == 6
    film = api.get(f"{base}/films/{name}-0.webp")
    assert film.content[:4] == b"RIFF"
    assert "immutable" in film.headers["Cache-Control"]
    for wrong in (f"{name}-1.webp", "..%2F..%2F..%2Ftoken", "token", f"{name}.json"):
        assert api.get(f"{base}/films/{wrong}").status_code == 404
    assert api.get(f"{base}/step-000000001-1000000000").status_code == 404


def test_without_a_recording_the_page_says_why(browser: TestClient, database: Database) -> None:
    cases = {
        "The first evaluation is recorded": {},
        "ask for an evaluation": {"evaluation_interval": 0},
        "has no road to look down on": {"environment": "gymnasium:Pendulum-v1"},
    }
    for words, config in cases.items():
        with database.write() as session:
            parsed = parse_config("quickstart", config)
            run = create_run(session, "", "quickstart", parsed, NOW)
        assert words in browser.get(f"/runs/{run.id}/episodes").text


def test_a_recording_another_version_wrote_is_passed_over(
    browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id = trained_run(database)
    name = record_evaluation(settings.snapshots_folder, run_id, 5000, 1_700_000_000)
    folder: Path = settings.snapshots_folder / f"run-{run_id:06d}" / "recordings"
    (folder / "step-000009000-1700000500.json").write_text('{"of": "another version"}')
    assert f"{name}-0.webp" in browser.get(f"/runs/{run_id}/episodes").text


def test_the_scatter_says_how_each_episode_ended(browser: TestClient, database: Database) -> None:
    run_id = trained_run(database)
    text = browser.get(f"/runs/{run_id}/episodes").text
    assert "Return against length" in text
    assert text.count("<title>episode") >= 6


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.floats(-1e6, 1e6), st.floats(0, 1e5), st.floats(-1, 9)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_dot_lies_in_the_box(rows: list[tuple[int, float, float, float]]) -> None:
    found = scatter_of(rows)
    assert len(found.dots) == len(rows)
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= HEIGHT for dot in found.dots)
