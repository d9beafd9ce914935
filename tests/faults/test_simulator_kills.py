"""A run outlives its simulators: each death costs time, none costs a step."""

import random
from typing import Any

import numpy as np
import psutil
import pytest

from backend.database import Database
from backend.metrics.store import read_points
from tests.end_to_end.test_main_job import SMALL, begin
from tests.product import Start, Up

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(5400)]

IN_TRAFFIC: dict[str, Any] = {
    **SMALL,
    "traffic": True,
    "scenario": 0,
    "total_steps": 10_000,
    "learning_starts": 500,
    "checkpoint_interval": 1_000,
    "evaluation_interval": 5_000,
    "evaluation_episodes": 3,
    "evaluation_screening": 0,
    "random_reference_episodes": 2,
}


def kill_simulator(up: Up, run_id: int, segment: int, step: int) -> None:
    """SIGKILL once this segment has come to that step."""
    up.until(run_id, seconds=600, segment=segment, state="running")
    up.until(run_id, seconds=900, step=step)
    victim: psutil.Process = up.child("worker.simulator")
    victim.kill()


def logged_steps(up: Up, run_id: int) -> list[int]:
    """Steps of the current lineage that have a reward."""
    database = Database(f"sqlite:///{up.data / 'pitwall.db'}")
    with database.read() as session:
        steps = read_points(session, run_id, "progress/reward").step
    database.close()
    return [int(step) for step in steps]


def test_fifty_kills_in_one_run_lose_nothing(start: Start) -> None:
    up, kills = start(), 50
    run_id = begin(up, SMALL)
    for segment in range(1, kills + 1):
        run = up.until(run_id, seconds=600, segment=segment, state="running")
        kill_simulator(up, run_id, segment, run["step"] + 40)
    up.until(run_id, seconds=600, segment=kills + 1, state="running")
    segments = up.segments(run_id)
    starts = [segment["start_step"] for segment in segments]
    assert starts == sorted(starts)
    assert starts[-1] >= 40 * kills
    # Every segment begins at the very step the one before it reached: nothing was driven twice.
    query = "metric=progress/reward&branches=true&points=4000"
    assert up.call(f"/api/v1/runs/{run_id}/series?{query}")["branches"] == []
    assert {segment["reason"] for segment in segments[1:]} == {"simulator"}
    steps = logged_steps(up, run_id)
    assert steps == list(range(1, len(steps) + 1))


def test_a_run_in_traffic_finishes_ten_thousand_steps_through_five_random_kills(
    start: Start,
) -> None:
    """With a live Traffic Manager the client aborts the trainer; at worst it goes back to a checkpoint."""
    up = start()
    run_id = begin(up, IN_TRAFFIC)
    chosen = sorted(random.Random(0).sample(range(200, 9_800), 5))
    for segment, step in enumerate(chosen, start=1):
        kill_simulator(up, run_id, segment, step)
    run = up.until(run_id, seconds=1800, state="finished")
    segments = up.segments(run_id)
    assert (run["step"], len(segments)) == (10_000, 6)
    assert {segment["reason"] for segment in segments[1:]} == {"simulator"}
    lost = np.array(chosen) - np.array([segment["start_step"] for segment in segments[1:]])
    assert (lost <= 1_000).all()
    assert logged_steps(up, run_id) == list(range(1, 10_001))
