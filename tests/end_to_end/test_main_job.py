"""The main job over HTTP with real processes: start, watch, halt, resume, save, roll back, cancel."""

import urllib.error
from typing import Any

import pytest

from tests.product import Start, Up
from tests.workers.conftest import until as wait_for

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

# Small enough for a test, and long enough never to end by itself.
SMALL: dict[str, Any] = {
    "total_steps": 1_000_000,
    "hidden_sizes": [32, 32],
    "batch_size": 32,
    "learning_starts": 200,
    "checkpoint_interval": 300,
    "evaluation_interval": 0,
    "random_reference_episodes": 0,
    "baseline_episodes": 0,
    "max_episode_ticks": 300,
}
ONLY_DRIVING = ("baseline_episodes", "max_episode_ticks")
PENDULUM = {
    **{name: value for name, value in SMALL.items() if name not in ONLY_DRIVING},
    "environment": "gymnasium:Pendulum-v1",
}


def begin(up: Up, config: dict[str, Any]) -> int:
    run = up.call("/api/v1/runs", {"preset": "quickstart", "config": config})
    assert run["state"] == "queued"
    return int(run["id"])


def act(up: Up, run_id: int, action: str, **body: int) -> Any:
    return up.call(f"/api/v1/runs/{run_id}/{action}", body)


def series(up: Up, run_id: int, metric: str) -> dict[str, Any]:
    query = f"metric={metric}&branches=true&points=4000"
    found: dict[str, Any] = up.call(f"/api/v1/runs/{run_id}/series?{query}")
    return found


def test_a_run_is_started_watched_halted_resumed_and_rolled_back(start: Start) -> None:
    up = start()
    run_id = begin(up, SMALL)
    up.until(run_id, state="running", step=700)

    metrics = {m["name"] for m in up.call(f"/api/v1/runs/{run_id}/metrics")}
    assert {"episode/return", "learner/critic_loss", "learner/q1_mean"} <= metrics
    figure = up.call(f"/api/v1/runs/{run_id}/charts/return")
    assert figure["data"]
    assert up.call(f"/api/v1/runs/{run_id}/gates")["rules"]

    act(up, run_id, "halt")
    halted = up.until(run_id, state="halted")
    at_halt = up.checkpoints(run_id)[0]
    assert (at_halt["kind"], at_halt["step"]) == ("halt", halted["step"])
    assert len(at_halt["sha256"]) == 64

    act(up, run_id, "resume")
    resumed = up.until(run_id, state="running", step=halted["step"] + 300)
    assert resumed["segment"] == 2
    assert up.segments(run_id)[1]["start_step"] == halted["step"]

    act(up, run_id, "checkpoint")
    wait_for(lambda: up.call(f"/api/v1/runs/{run_id}/commands")[0]["state"] == "done")
    wait_for(lambda: "manual" in {c["kind"] for c in up.checkpoints(run_id)})

    act(up, run_id, "rollback", checkpoint_id=at_halt["id"])  # retention leaves one of a halt alone
    up.until(run_id, segment=3, state="running")
    last = up.segments(run_id)[-1]
    assert (last["start_step"], last["reason"]) == (halted["step"], "rollback")
    up.until(run_id, step=halted["step"] + 100)
    wait_for(lambda: "rollback" in {c["kind"] for c in up.checkpoints(run_id)})
    assert series(up, run_id, "episode/return")["branches"]

    act(up, run_id, "cancel")
    up.until(run_id, state="cancelled")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        act(up, run_id, "resume")
    with refusal.value as answer:
        assert answer.code == 409


def test_a_killed_trainer_goes_on_from_its_last_checkpoint_with_no_point_lost_or_doubled(
    start: Start,
) -> None:
    up = start()
    run_id = begin(up, PENDULUM)
    up.until(run_id, step=700)
    before = series(up, run_id, "episode/return")["curve"]
    up.child("worker.train").kill()
    up.until(run_id, segment=2, state="running")
    begun = up.segments(run_id)[1]
    assert begun["reason"] == "crash"
    assert begun["start_step"] >= 300
    up.until(run_id, step=begun["start_step"] + 500)
    after = series(up, run_id, "episode/return")["curve"]
    kept = [
        (x, y) for x, y in zip(before["x"], before["mean"], strict=True) if x <= begun["start_step"]
    ]
    assert list(zip(after["x"], after["mean"], strict=True))[: len(kept)] == kept
    assert after["x"] == sorted(set(after["x"]))


@pytest.mark.parametrize("task", [PENDULUM, SMALL], ids=["pendulum", "driving"])
def test_a_killed_worker_costs_a_run_nothing_but_time(start: Start, task: dict[str, Any]) -> None:
    up = start()
    run_id = begin(up, task)
    up.until(run_id, step=400)
    trainer = up.child("worker.train")
    up.child("worker.app").kill()
    up.until(run_id, segment=2, state="running")
    assert not trainer.is_running()
    begun = up.segments(run_id)[1]
    assert begun["reason"] == "drain"
    assert begun["start_step"] >= 400


def test_a_killed_simulator_is_replaced_and_the_run_goes_on(start: Start) -> None:
    up = start()
    run_id = begin(up, SMALL)
    up.until(run_id, step=400)
    simulator = up.child("worker.simulator")
    simulator.kill()
    up.until(run_id, segment=2, state="running")
    assert up.child("worker.simulator").pid != simulator.pid
    up.until(run_id, step=up.segments(run_id)[1]["start_step"] + 100)


def test_a_pitwall_killed_mid_run_leaves_nothing_and_takes_the_run_up_again(start: Start) -> None:
    up = start()
    run_id = begin(up, SMALL)
    up.until(run_id, step=400)
    up.look()
    up.process.kill()
    again = start(up.data)
    again.until(run_id, segment=2, state="running")
    assert again.segments(run_id)[1]["start_step"] >= 300
    assert up.survivors() == []
