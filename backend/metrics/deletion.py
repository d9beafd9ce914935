"""Deletion: a run that is over goes for good, with its points, checkpoints and files, and its space comes back."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.errors import IllegalTransition
from backend.metrics.models import Series
from backend.metrics.writer import delete_points
from backend.runs.models import Run, Segment
from backend.runs.service import lock_run
from backend.runs.states import Desired, RunState

BEING_DELETED = "being deleted"


def delete_run(database: Database, run_id: int, folders: Iterable[Path]) -> None:
    """Delete a run and the folders it has to itself. Interrupted, it can be asked again and goes on.

    Call `Database.reclaim` afterwards to give the space back to the disk.

    Raises:
        NotFound: there is no such run.
        IllegalTransition: it is not over, or forks of it are there.
    """
    with database.write() as session:
        withdraw(session, run_id)
    # Files before rows: a new run may get the number, and must not find what this one left.
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    with database.write() as session:
        _refuse_forked(session, run_id)
        delete_points(session, run_id)
        session.execute(delete(Run).where(Run.id == run_id))


def withdraw(session: Session, run_id: int) -> None:
    """Make sure that nobody starts the run any more; raises as `delete_run` does."""
    run = lock_run(session, run_id)
    if not RunState(run.state).is_over:
        raise IllegalTransition(
            f"run {run_id} is {run.state}: halt or cancel it before you delete it"
        )
    _refuse_forked(session, run_id)
    run.state, run.desired, run.state_reason = RunState.CANCELLED, Desired.CANCEL, BEING_DELETED


def count_points(session: Session, run_id: int) -> int:
    """Points of the run itself, abandoned ones included, those a fork takes over left out."""
    own = select(Segment.id).where(Segment.run_id == run_id)
    return session.scalar(select(func.sum(Series.count)).where(Series.segment_id.in_(own))) or 0


def ended_before(session: Session, moment: float) -> list[int]:
    """Runs that are over since before `moment` (s, UTC), the newest first, so that forks go before their source.

    An imported log may have ended years before it came: its time counts from the import.
    """
    over = [state for state in RunState if state.is_over]
    query = select(Run.id).where(
        Run.state.in_(over), Run.ended_at < moment, Run.created_at < moment
    )
    return list(session.scalars(query.order_by(Run.id.desc())))


def _refuse_forked(session: Session, run_id: int) -> None:
    own = select(Segment.id).where(Segment.run_id == run_id)
    forks = session.scalars(
        select(Segment.run_id)
        .where(Segment.parent_id.in_(own), Segment.run_id != run_id)
        .distinct()
    ).all()
    saved = select(Checkpoint.id).where(Checkpoint.run_id == run_id)
    waiting = session.scalars(
        select(Run.id).where(Run.resume_checkpoint_id.in_(saved), Run.id != run_id)
    ).all()
    if found := sorted({*forks, *waiting}):
        raise IllegalTransition(
            f"run {run_id} has forks ({', '.join(map(str, found))}), which begin with its points: "
            "delete those first"
        )
