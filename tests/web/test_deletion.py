"""A run that is over can be deleted: its rows, its files and its space, and nothing of any other run."""

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from backend.database import Base, Database
from backend.metrics.store import append
from backend.runs import attempts
from backend.runs.config import RunConfig
from backend.runs.forks import fork_run
from backend.runs.models import Run
from backend.settings import Settings
from tests.web.scripted import NOW, ScriptedTrainer, claimed_run


def finished(database: Database) -> int:
    """A run with points, a checkpoint, verdicts and events, halted at step 1,000."""
    run_id, _ = claimed_run(database)
    with database.write() as session:
        run = session.get_one(Run, run_id)
        segment = run.segment_id
        assert segment is not None
        append(session, segment, [("m", step, 0, NOW, 1.0) for step in range(3000)])
        run.state, run.ended_at = "halted", NOW
    return run_id


def rows(database: Database, table: str) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Base.metadata.tables[table])) or 0


def test_a_deleted_run_leaves_no_row_and_no_file(
    api: TestClient, database: Database, settings: Settings
) -> None:
    run_id = finished(database)
    for folder in settings.folders_of(run_id):
        folder.mkdir(parents=True)
        (folder / "file").write_text("something")
    elsewhere = settings.data / "checkpoints" / "run-000099"
    elsewhere.mkdir(parents=True)

    assert api.delete(f"/api/v1/runs/{run_id}").status_code == 204

    assert api.get(f"/api/v1/runs/{run_id}").status_code == 404
    assert not any(folder.exists() for folder in settings.folders_of(run_id))
    assert elsewhere.exists()
    for table in ("runs", "segments", "series", "chunks", "flushes", "events", "checkpoints"):
        assert rows(database, table) == 0, table


def test_a_run_that_is_not_over_is_kept(api: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database)
    refused = api.delete(f"/api/v1/runs/{run_id}")
    assert refused.status_code == 409
    assert "halt or cancel it before" in refused.json()["detail"]
    assert api.delete("/api/v1/runs/99").status_code == 404


def test_a_run_is_kept_while_forks_begin_with_its_points(
    api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    with database.write() as session:
        attempts.requeue(session, run_id, token, "drain", NOW)
    trainer = ScriptedTrainer(database, run_id)
    assert trainer.claim(NOW)
    trainer.advance(100, NOW)
    checkpoint = trainer.save("manual", NOW)
    with database.write() as session:
        session.get_one(Run, run_id).state = "halted"
        config = RunConfig.model_validate(session.get_one(Run, run_id).config)
        fork = fork_run(session, run_id, checkpoint, "", config, NOW).id

    refused = api.delete(f"/api/v1/runs/{run_id}")
    assert refused.status_code == 409
    assert f"has forks ({fork})" in refused.json()["detail"]
    assert api.get(f"/api/v1/runs/{run_id}").json()["state"] == "halted"
    api.post(f"/api/v1/runs/{fork}/cancel")
    assert api.delete(f"/api/v1/runs/{fork}").status_code == 204
    assert api.delete(f"/api/v1/runs/{run_id}").status_code == 204


def test_the_page_asks_first_and_says_what_goes(browser: TestClient, database: Database) -> None:
    run_id = finished(database)
    assert f"/runs/{run_id}/delete" in browser.get(f"/runs/{run_id}").text
    asked = browser.get(f"/runs/{run_id}/delete").text
    assert "for good?" in asked
    assert "3,000" in asked
    assert browser.get(f"/runs/{run_id}").status_code == 200
    answer = browser.post(f"/runs/{run_id}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get(f"/runs/{run_id}").status_code == 404
