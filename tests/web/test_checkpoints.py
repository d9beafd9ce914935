"""Checkpoints over HTTP and on their pages: evaluated, forked, downloaded, drawn as a tree."""

import io
import tarfile
from pathlib import Path

from fastapi.testclient import TestClient

from backend.checkpoints.files import drafting
from backend.checkpoints.models import Checkpoint, Evaluation
from backend.database import Database
from backend.runs import attempts, evaluations, service
from backend.runs.service import get_run, list_segments
from backend.settings import Settings
from backend.web.segment_tree import Tree, draw_tree
from tests.web.scripted import NOW, WORKER, claimed_run, saved_checkpoint


def written_checkpoint(database: Database, settings: Settings, *, step: int) -> tuple[int, int]:
    """A run and its checkpoint with real files."""
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=step)
    path = settings.checkpoints_folder / f"run-{run_id:06d}" / f"step-{step:09d}-interval"
    path.parent.mkdir(parents=True)
    with drafting(path) as draft:
        draft.write("state.safetensors", b"weights")
        draft.seal({"step": step})
    with database.write() as session:
        session.get_one(Checkpoint, number).path = str(path)
    return run_id, number


def test_a_checkpoint_is_downloaded_as_a_tar_of_its_files(
    browser: TestClient, database: Database, settings: Settings
) -> None:
    run_id, number = written_checkpoint(database, settings, step=100)
    for address in (f"/runs/{run_id}", f"/api/v1/runs/{run_id}"):
        response = browser.get(f"{address}/checkpoints/{number}/archive")
        assert response.status_code == 200
        assert int(response.headers["Content-Length"]) == len(response.content)
        assert "run-000001-step-000000100-interval.tar" in response.headers["Content-Disposition"]
        with tarfile.open(fileobj=io.BytesIO(response.content)) as tar:
            names = [Path(name).name for name in tar.getnames()]
        assert names == ["manifest.json", "state.safetensors"]


def test_a_download_never_leaves_the_folder_of_checkpoints(
    api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=100)
    response = api.get(f"/api/v1/runs/{run_id}/checkpoints/{number}/archive")
    assert response.status_code == 404
    assert "is not kept here" in response.json()["detail"]


def test_an_evaluation_is_asked_for_seen_and_cancelled(
    browser: TestClient, api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=100)
    page = f"/runs/{run_id}/checkpoints"
    assert "over the seeds of this run" in browser.get(f"{page}/{number}/evaluate").text
    assert browser.post(f"{page}/{number}/evaluate", data={"episodes": 5}).status_code == 303
    assert "waits for a free worker" in browser.get(page).text
    (found,) = api.get(f"/api/v1{page}/evaluations").json()
    assert (found["state"], found["episodes"], found["checkpoint_id"]) == ("queued", 5, number)
    again = api.post(f"/api/v1{page}/{number}/evaluations", json={"episodes": 5})
    assert again.status_code == 409
    assert browser.post(f"/runs/{run_id}/evaluations/{found['id']}/cancel").status_code == 303
    assert api.get(f"/api/v1{page}/evaluations").json()[0]["state"] == "cancelled"
    assert "evaluation cancelled" in browser.get(page).text
    bad = api.post(f"/api/v1{page}/{number}/evaluations", json={"episodes": 0})
    assert bad.status_code == 422


def test_the_answer_of_an_evaluation_stands_beside_its_checkpoint(
    browser: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=100)
    with database.write() as session:
        asked = evaluations.request_evaluation(session, run_id, number, 20, NOW)
        asked.state, asked.token = "running", "t"
        result: dict[str, object] = {
            "success_rate": 0.95,
            "success_interval": [0.76, 0.99],
            "return_mean": 512.34,
            "return_std": 12.0,
        }
        evaluations.finish_evaluation(session, asked.id, "t", result, NOW)
    text = browser.get(f"/runs/{run_id}/checkpoints").text
    assert "95 %" in text
    assert "(76 % to 99 %)" in text
    assert "512.3" in text


def test_a_fork_is_asked_about_and_started_with_some_values_changed(
    browser: TestClient, api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=100)
    address = f"/runs/{run_id}/checkpoints/{number}/fork"
    form = browser.get(address).text
    assert "Fork from step 100" in form
    assert 'name="actor_learning_rate"' in form
    assert 'name="hidden_sizes"' not in form
    answer = browser.post(address, data={"name": "gentler", "actor_learning_rate": "0.00001"})
    assert answer.status_code == 303
    fork = api.get(f"/api/v1{answer.headers['Location']}").json()
    assert (fork["name"], fork["state"], fork["step"]) == ("gentler", "queued", 100)
    assert fork["config"]["actor_learning_rate"] == 1e-5
    second = api.post(f"/api/v1{address}", json={"config": {"seed": 4}})
    assert second.status_code == 201
    assert second.json()["config"]["seed"] == 4


def test_a_wrong_fork_keeps_its_values_and_says_what_to_mend(
    browser: TestClient, api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    number = saved_checkpoint(database, run_id, token, step=5000)
    address = f"/runs/{run_id}/checkpoints/{number}/fork"
    answer = browser.post(address, data={"name": "short", "total_steps": "4000", "gamma": "0.95"})
    assert answer.status_code == 422
    assert "is not above the checkpoint" in answer.text
    assert 'value="short"' in answer.text
    assert 'value="0.95"' in answer.text
    refused = api.post(f"/api/v1{address}", json={"config": {"hidden_sizes": [8]}})
    assert refused.status_code == 422
    assert "start a new run instead" in refused.json()["fields"]["hidden_sizes"]
    assert len(api.get("/api/v1/runs").json()) == 1


def drawn(database: Database, run_id: int) -> Tree:
    with database.read() as session:
        run = get_run(session, run_id)
        return draw_tree(run, list_segments(session, run_id), [], {})


def reopened(database: Database, run_id: int, token: str, to: int, last: int) -> str:
    """The attempt got to step `last`, then the run went on from a checkpoint in a new segment."""
    with database.write() as session:
        attempts.record_progress(session, run_id, token, last, 0, 0, 1.0, NOW)
        attempts.requeue(session, run_id, token, "rollback", NOW, to)
        claim = attempts.claim(session, run_id, WORKER, NOW)
        assert claim is not None
        attempts.mark_running(session, run_id, claim.token, NOW)
        return claim.token


def test_a_resumed_run_is_one_line_and_a_rollback_a_second_one(database: Database) -> None:
    run_id, token = claimed_run(database)
    first = saved_checkpoint(database, run_id, token, step=100)
    token = reopened(database, run_id, token, first, 100)
    with database.write() as session:
        attempts.record_progress(session, run_id, token, 300, 0, 0, 1.0, NOW)
    tree = drawn(database, run_id)
    assert [branch.y for branch in tree.branches] == [20, 20]
    assert tree.abandoned == 0
    later = saved_checkpoint(database, run_id, token, step=300)
    token = reopened(database, run_id, token, first, 400)
    assert later
    with database.write() as session:
        attempts.record_progress(session, run_id, token, 150, 0, 0, 1.0, NOW)
        checkpoints = service.list_segments(session, run_id)
    assert len(checkpoints) == 3
    with database.read() as session:
        run = get_run(session, run_id)
        segments = list_segments(session, run_id)
        tree = draw_tree(run, segments, [], {segments[1].id: 400})
    one, two, three = tree.branches
    assert (tree.steps, tree.abandoned) == (400, 1)
    assert (one.x1, one.kept, one.x2) == (0, 25, 25)
    assert (two.is_current, two.x1, two.x2) == (False, 25, 100)
    assert (three.is_current, three.x1, three.kept, three.from_y) == (True, 25, 37.5, 20)
    assert three.y > two.y


def test_an_evaluation_under_way_tells_how_long_it_still_takes() -> None:
    under_way = Evaluation(episodes=20, done=5, started_at=100.0, heartbeat_at=110.0)
    assert under_way.left == 30
    assert Evaluation(episodes=20, done=0, started_at=100.0, heartbeat_at=110.0).left is None
