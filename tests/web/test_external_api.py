"""Runs of users' own trainers over HTTP: made, fed, judged, stopped, and left alone by workers."""

import random
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.database import Database
from backend.gates.facts import facts_of
from backend.gates.live import LiveJudges
from backend.gates.replay import judge_series
from backend.gates.stored import rule_series
from backend.metrics import store
from backend.metrics.columns import Point
from backend.rules.presets import PRESETS
from backend.runs.attempts import claim
from backend.runs.dispatcher import claimable
from backend.runs.reaper import reap
from backend.runs.service import get_run

OWN = "0123456789abcdef" * 2
CONFIG = {"learning_starts": 1000, "total_steps": 4000, "optimiser": {"name": "adam"}}


def begin(api: TestClient, token: str = OWN, **config: Any) -> int:
    body = {"token": token, "name": "mine", "host": "here", "config": {**CONFIG, **config}}
    response = api.post("/api/v1/external-runs", json=body)
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def say(api: TestClient, run_id: int, what: str, **body: Any) -> dict[str, Any]:
    response = api.post(f"/api/v1/runs/{run_id}/{what}", json={"token": OWN, **body})
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


def dying(steps: int = 4000) -> list[Point]:
    """A policy that explores well, then learns to do worse, episode by episode."""
    chance = random.Random(0)
    points: list[Point] = []
    for episode, step in enumerate(range(50, steps + 1, 50)):
        level = 200.0 if step <= 1000 else 200.0 - (step - 1000) / 5
        total = level + chance.gauss(0, 10)
        points.append(("episode/return", step, episode, float(step), total))
        points.append(("episode/length", step, episode, float(step), 50.0))
        points.append(("learner/actor_q_mean", step, episode, float(step), 10.0 + step))
    return points


def test_an_own_run_is_running_at_once_and_no_worker_can_take_it(
    api: TestClient, database: Database
) -> None:
    run = api.get(f"/api/v1/runs/{begin(api)}").json()
    assert (run["state"], run["name"], run["segment"]) == ("running", "mine", 1)
    assert run["config"] == {**CONFIG, "source": "client"}
    assert run["actions"] == ["halt", "cancel"]
    with database.write() as session:
        assert claimable(session, 2e9) == []
        assert claim(session, run["id"], "w1", 2e9) is None


def test_the_token_finds_the_run_it_made(api: TestClient) -> None:
    assert begin(api) == begin(api)
    assert begin(api, token="f" * 32) != begin(api)


def test_a_repeated_flush_changes_nothing(api: TestClient, database: Database) -> None:
    run_id = begin(api)
    points = [["my/loss", 1, 0, 1.0, 0.5], ["my/loss", 2, 0, 1.0, "NaN"]]
    first = say(api, run_id, "points", flush=1, points=points)
    assert first == say(api, run_id, "points", flush=1, points=points)
    assert (first["flush"], first["step"], first["desired"]) == (1, 2, "run")
    with database.read() as session:
        assert store.read_points(session, run_id, "my/loss").step.tolist() == [1, 2]


def test_a_step_that_went_back_is_refused_whole(api: TestClient) -> None:
    run_id = begin(api)
    say(api, run_id, "points", flush=1, points=[["my/loss", 5, 0, 1.0, 0.5]])
    body = {"token": OWN, "flush": 2, "points": [["my/loss", 4, 0, 1.0, 0.5]]}
    assert api.post(f"/api/v1/runs/{run_id}/points", json=body).status_code == 422
    assert say(api, run_id, "heartbeat")["flush"] == 1


def test_only_the_trainer_that_made_a_run_writes_to_it(api: TestClient) -> None:
    own, ours = begin(api), api.post("/api/v1/runs", json={"preset": "quickstart"}).json()["id"]
    for run_id, token in ((own, "f" * 32), (ours, OWN)):
        response = api.post(f"/api/v1/runs/{run_id}/heartbeat", json={"token": token})
        assert response.status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [("total_steps", "1e4"), ("learning_starts", -1), ("rules", "nobody"), ("halt_on", ["luck"])],
)
def test_a_config_nobody_understands_creates_nothing(
    api: TestClient, field: str, value: object
) -> None:
    body = {"token": OWN, "config": {field: value}}
    response = api.post("/api/v1/external-runs", json=body)
    assert response.status_code == 422
    assert list(response.json()["fields"]) == [field]
    assert api.get("/api/v1/runs").json() == []


def test_flushes_are_judged_as_the_whole_run_would_be_also_across_a_restart(
    app: FastAPI, api: TestClient, database: Database
) -> None:
    run_id, points = begin(api), dying()
    for number, start in enumerate(range(0, len(points), 37)):
        if number == 4:
            app.state.judges = LiveJudges()
        say(api, run_id, "points", flush=number + 1, points=points[start : start + 37])
    say(api, run_id, "end")
    judged = api.get(f"/api/v1/runs/{run_id}/gates").json()
    with database.read() as session:
        run, rules = get_run(session, run_id), PRESETS["behavioural"]
        judge = judge_series(rule_series(session, run_id, rules), facts_of(run), rules)
    assert judged["verdict"] == judge.verdict == "no-go"
    states = {rule["rule"]: (rule["state"], rule["since_step"]) for rule in judged["rules"]}
    assert states == {result.name: (result.state, result.since_step) for result in judge.results()}
    verdicts = [flip["after"] for flip in reversed(judged["flips"]) if flip["rule"] == "verdict"]
    assert verdicts == [turn.verdict for turn in judge.history[1:]]


def test_a_rule_named_in_halt_on_asks_the_trainer_to_halt(
    api: TestClient, database: Database
) -> None:
    with database.read() as session:
        run = get_run(session, begin(api))
        judge = judge_series(store.by_metric(dying()), facts_of(run), PRESETS["behavioural"])
    critical = [result.name for result in judge.results() if result.first_critical is not None]
    run_id = begin(api, token="a" * 32, halt_on=critical)
    body = {"token": "a" * 32, "flush": 1, "points": dying()}
    answer = api.post(f"/api/v1/runs/{run_id}/points", json=body).json()
    assert answer["desired"] == "halt"
    assert (
        api.get(f"/api/v1/runs/{run_id}")
        .json()["state_reason"]
        .startswith("halt asked by the rule")
    )


def test_a_silent_own_run_is_left_alone_until_a_person_stops_it(
    api: TestClient, database: Database
) -> None:
    run_id = begin(api)
    with database.write() as session:
        assert reap(session, 3e9, 20.0, 5) == []
        assert get_run(session, run_id).state == "running"
    assert api.post(f"/api/v1/runs/{run_id}/halt").json()["state"] == "running"
    with database.write() as session:
        assert reap(session, 3e9, 20.0, 5) == []
    run = api.get(f"/api/v1/runs/{run_id}").json()
    assert (run["state"], run["crashes"]) == ("halted", 0)
    assert api.post(f"/api/v1/runs/{run_id}/resume").status_code == 409
    late = say(api, run_id, "points", flush=1, points=[["my/loss", 1, 0, 1.0, 0.5]])
    assert (late["flush"], late["desired"]) == (1, "halt")


def test_a_checkpoint_told_twice_is_listed_once_and_no_way_back(api: TestClient) -> None:
    run_id = begin(api)
    files = {"path": "/there/model.zip", "bytes": 9, "sha256": "0" * 64, "step": 7}
    first = say(api, run_id, "checkpoints", **files)
    assert say(api, run_id, "checkpoints", **files)["id"] == first["id"]
    assert len(api.get(f"/api/v1/runs/{run_id}/checkpoints").json()) == 1
    say(api, run_id, "end")
    body = {"checkpoint_id": first["id"]}
    assert api.post(f"/api/v1/runs/{run_id}/rollback", json=body).status_code == 409


def test_the_end_may_be_told_twice(api: TestClient) -> None:
    run_id = begin(api)
    assert say(api, run_id, "end", state="failed", reason="out of luck")["state"] == "failed"
    assert say(api, run_id, "end", state="failed", reason="out of luck")["state"] == "failed"
    assert api.get(f"/api/v1/runs/{run_id}").json()["state_reason"] == "out of luck"


def test_the_pages_show_an_own_run(api: TestClient, browser: TestClient) -> None:
    run_id = begin(api)
    say(api, run_id, "points", flush=1, points=[["my/loss", 1, 0, 1.0, 0.5]])
    assert browser.get("/").status_code == 200
    for page in ("", "/gates", "/checkpoints", "/log", "/config", "/episodes"):
        assert browser.get(f"/runs/{run_id}{page}").status_code == 200


def test_rules_changed_while_an_own_trainer_runs_judge_from_its_next_flush_on(
    api: TestClient,
) -> None:
    run_id, points = begin(api), dying()
    say(api, run_id, "points", flush=1, points=points[:200])
    own = {"name": "always", "kind": "threshold", "metric": "episode/return", "limit": -1e6}
    strict = {"name": "strict", "custom": [{**own, "level": "critical", "action": "halt"}]}
    assert api.post("/api/v1/rules", json={**strict, "person": "Ada"}).status_code == 201
    body = {"preset": "strict@1", "person": "Ada"}
    assert api.put(f"/api/v1/runs/{run_id}/gates/rules", json=body).status_code == 200
    answer = say(api, run_id, "points", flush=2, points=points[200:])
    judged = api.get(f"/api/v1/runs/{run_id}/gates").json()
    assert (answer["desired"], judged["judged_by"]) == ("halt", "strict@1")
    assert {flip["preset"] for flip in judged["flips"]} == {"behavioural", "strict"}
