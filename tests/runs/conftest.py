"""Runs in a wanted state, made through the services alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.models import Run
from backend.runs.parsing import parse_config

NOW = 1_000_000.0
# Needs no simulator: these tests are about control, not about driving.
PENDULUM = {"environment": "gymnasium:Pendulum-v1"}


def new_run(session: Session, now: float = NOW) -> Run:
    return service.create_run(session, "", "quickstart", parse_config("quickstart", PENDULUM), now)


def claimed(session: Session, run_id: int, now: float = NOW, worker: str = "w") -> Claim:
    claim = attempts.claim(session, run_id, worker, now)
    assert claim is not None
    return claim


def saved(
    session: Session, claim: Claim, step: int, kind: str = "interval", **more: bool
) -> Checkpoint:
    return attempts.record_checkpoint(
        session,
        claim.run_id,
        claim.token,
        kind,
        step=step,
        episode=step // 100,
        updates=step // 2,
        path=Path(f"/checkpoints/{step}"),
        size=1000,
        sha256="0" * 64,
        now=NOW,
        **more,
    )


@pytest.fixture
def running(database: Database) -> Claim:
    """A run that trains, with the claim of its owner."""
    with database.write() as session:
        claim = claimed(session, new_run(session).id)
        attempts.mark_running(session, claim.run_id, claim.token, NOW)
    return claim


@pytest.fixture
def run_now(database: Database) -> Callable[[int], Run]:
    """Reads a run afresh."""

    def read(run_id: int) -> Run:
        with database.read() as session:
            return service.get_run(session, run_id)

    return read
