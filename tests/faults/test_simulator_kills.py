"""A run outlives its simulators: each death costs time, none costs a step."""

import psutil
import pytest

from tests.end_to_end.test_main_job import SMALL, begin
from tests.product import Start, Up

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(3600)]


def kill_simulators(up: Up, run_id: int, kills: int) -> None:
    """One SIGKILL each time the run has gone on for a while."""
    for segment in range(1, kills + 1):
        run = up.until(run_id, seconds=180, segment=segment, state="running")
        up.until(run_id, seconds=180, step=run["step"] + 40)
        victim: psutil.Process = up.child("worker.simulator")
        victim.kill()


def test_fifty_kills_in_one_run_lose_nothing(start: Start) -> None:
    up, kills = start(), 50
    run_id = begin(up, SMALL)
    kill_simulators(up, run_id, kills)
    up.until(run_id, seconds=180, segment=kills + 1, state="running")
    segments = up.segments(run_id)
    starts = [segment["start_step"] for segment in segments]
    assert starts == sorted(starts)
    assert starts[-1] >= 40 * kills
    # Every segment begins at the very step the one before it reached: nothing was driven twice.
    query = "metric=progress/reward&branches=true&points=4000"
    assert up.call(f"/api/v1/runs/{run_id}/series?{query}")["branches"] == []
    assert {segment["reason"] for segment in segments[1:]} == {"crash"}
