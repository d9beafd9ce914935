"""A run with something in every chart: two segments, an abandoned branch, checkpoints and flips."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.gates.models import Flip
from backend.metrics.catalog import CATALOG
from backend.metrics.store import Columns, append_columns
from backend.runs.models import Run, Segment

LEARNING_STARTS = 100
EACH_STEP = ("learner/critic_loss", "learner/td_error_q1", "learner/td_error_q2")


@dataclass(frozen=True)
class Drawn:
    """The run's id, and where its second segment began."""

    run_id: int
    resumed_at: int


def columns(first: int, last: int, every: int, seed: int) -> Columns:
    step = np.arange(first, last + 1, every)
    values = np.abs(np.random.default_rng(seed).normal(size=len(step)))
    return Columns.of(step, step // 20, 1.7e9 + step, values)


def everything(first: int, last: int) -> dict[str, Columns]:
    """Every metric of the catalogue, one a point each step, the others once in an episode of 20 steps."""
    found = {}
    for seed, name in enumerate(CATALOG):
        found[name] = columns(first, last, 1 if name in EACH_STEP else 20, seed)
    ends = found["episode/termination"]
    found["episode/termination"] = replace(ends, value=ends.step % 3 * 1.0)
    return found


@pytest.fixture
def drawn(database: Database) -> Drawn:
    with database.write() as session:
        run = Run(
            name="run",
            preset="quickstart",
            config={"learning_starts": LEARNING_STARTS},
            config_hash="",
            state="running",
            desired="run",
            total_steps=4000,
            created_at=0.0,
        )
        session.add(run)
        session.flush()
        first = Segment(run_id=run.id, number=1, created_at=1.7e9)
        session.add(first)
        session.flush()
        second = Segment(
            run_id=run.id,
            number=2,
            parent_id=first.id,
            checkpoint_id=1,
            start_step=1000,
            start_episode=50,
            reason="rollback",
            created_at=1.7e9 + 1000,
        )
        session.add(second)
        session.flush()
        run.segment_id = second.id
        append_columns(session, first.id, everything(0, 1500))
        append_columns(session, second.id, everything(1001, 4000))
        session.add(
            Checkpoint(
                run_id=run.id,
                segment_id=first.id,
                kind="interval",
                step=1000,
                episode=50,
                path="c",
                sha256="",
                created_at=1.7e9 + 1000,
            )
        )
        for rule, after in (("verdict", "no-go"), ("share", "critical"), ("noise", "warning")):
            session.add(
                Flip(run_id=run.id, rule=rule, before="ok", after=after, step=1200, at=1.7e9 + 1200)
            )
        return Drawn(run.id, 1000)
