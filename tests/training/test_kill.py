"""The real trainer process, killed by the system: what it goes on with is the run that never stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.checkpoints.files import read_manifest
from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.metrics.store import read_points
from backend.runs import attempts
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, get_run
from backend.runs.states import RunState
from backend.settings import Settings
from tests.training.conftest import SMALL

PATIENCE = 300.0
# Enough that a fast machine is not through before the kill.
STEPS = 3000
ROOT = Path(__file__).parents[2]


def create(database: Database) -> int:
    config = parse_config("quickstart", {**SMALL, "total_steps": STEPS, "policy_delay": 3})
    with database.write() as session:
        return create_run(session, "", "quickstart", config, time.time()).id


def spawn(database: Database, run_id: int, data: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A trainer as a worker starts it, and its token."""
    with database.write() as session:
        claim = attempts.claim(session, run_id, "lab", time.time())
    assert claim is not None
    url = database.engine.url.render_as_string(hide_password=False)
    settings = Settings(data=data, database_url=url)
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.train", str(run_id), claim.token],
        cwd=ROOT, stdin=subprocess.PIPE, env={**os.environ, **settings.as_environment()},
    )  # fmt: skip
    return process, claim.token


def end(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, once it has ended by itself; one that does not must not write into the next test."""
    try:
        return process.wait(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def row(database: Database, run_id: int) -> Run:
    with database.read() as session:
        return get_run(session, run_id)


def last_state(database: Database, run_id: int) -> dict[str, Any]:
    """All of the last checkpoint: hashes of every tensor file, and whatever is no tensor."""
    with database.read() as session:
        path = Path(list_checkpoints(session, run_id)[0].path)
    manifest = read_manifest(path)
    return {name: manifest[name] for name in ("kind", "step", "files", "state", "replay")}


def rewards(database: Database, run_id: int) -> list[tuple[int, float]]:
    with database.read() as session:
        points = read_points(session, run_id, "progress/reward")
    return list(zip(points.step.tolist(), points.value.tolist(), strict=True))


@pytest.mark.timeout(1200)
def test_a_trainer_killed_in_mid_episode_goes_on_to_the_very_same_end(
    database: Database, tmp_path: Path
) -> None:
    whole, killed = create(database), create(database)
    process, _ = spawn(database, whole, tmp_path)
    assert end(process) == 0

    process, token = spawn(database, killed, tmp_path)
    give_up = time.monotonic() + PATIENCE
    while row(database, killed).resume_checkpoint_id is None:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.kill()
    assert end(process) == -9
    reached = row(database, killed).step
    assert 250 <= reached < STEPS
    with database.write() as session:
        attempts.crashed(session, killed, token, "killed", time.time() - 60, 5)
    process, _ = spawn(database, killed, tmp_path)
    assert end(process) == 0

    assert row(database, killed).state == RunState.FINISHED
    assert last_state(database, killed) == last_state(database, whole)
    assert rewards(database, killed) == rewards(database, whole)
