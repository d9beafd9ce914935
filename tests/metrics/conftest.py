"""Rows the metric tests stand on: a run and its chain of segments."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from backend.runs.models import Run, Segment

MakeRun = Callable[[Session], int]
MakeSegment = Callable[..., int]


@pytest.fixture
def make_run() -> MakeRun:
    def make(session: Session) -> int:
        run = Run(
            name="run",
            preset="quickstart",
            config={"learning_starts": 100},
            config_hash="",
            state="running",
            desired="run",
            total_steps=1000,
            created_at=0.0,
        )
        session.add(run)
        session.flush()
        return run.id

    return make


@pytest.fixture
def make_segment() -> MakeSegment:
    """Open a segment and make it the run's current one, as a claim does."""

    def make(session: Session, run_id: int, parent: int | None = None, start_step: int = 0) -> int:
        number = session.query(Segment).filter_by(run_id=run_id).count() + 1
        segment = Segment(
            run_id=run_id,
            number=number,
            parent_id=parent,
            checkpoint_id=None if parent is None else number,
            start_step=start_step,
            created_at=0.0,
        )
        session.add(segment)
        session.flush()
        run = session.get_one(Run, run_id)
        run.segment_id = segment.id
        session.flush()
        return segment.id

    return make
