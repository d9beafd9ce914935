"""Retention: runs that ended long ago go by themselves, where `PITWALL_KEEP_DAYS` says so."""

import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.errors import PitwallError
from backend.ladders.models import Ladder, LadderStage
from backend.metrics.deletion import delete_run, ended_before
from backend.settings import Settings

DAY, HOUR = 86_400.0, 3_600.0
log = logging.getLogger(__name__)


class Retention:
    """A duty of the dispatcher: once an hour it deletes what `keep_days` is over for, and frees the space.

    Runs with a pinned checkpoint, of a ladder under way, or with forks stay, however old.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next = 0.0

    def __call__(self, database: Database, now: float) -> list[int]:
        """The runs deleted; none where nothing is due or the database is away."""
        if not self._settings.keep_days or now < self._next:
            return []
        self._next = now + HOUR
        try:
            with database.read() as session:
                found = expired(session, now - self._settings.keep_days * DAY)
            deleted = [run_id for run_id in found if self._delete(database, run_id)]
            if deleted:
                database.reclaim()
        except SQLAlchemyError as error:
            log.warning("retention waits for the database: %s", error)
            return []
        return deleted

    def _delete(self, database: Database, run_id: int) -> bool:
        try:
            delete_run(database, run_id, self._settings.folders_of(run_id))
        except PitwallError as error:
            log.info("kept, though its time is over: %s", error)
            return False
        log.info("deleted run %s: it ended over %g days ago", run_id, self._settings.keep_days)
        return True


def expired(session: Session, moment: float) -> Sequence[int]:
    """Runs that ended before `moment` (s, UTC) and that nobody holds on to, forks before their source."""
    pinned = select(Checkpoint.run_id).where(Checkpoint.pinned)
    climbing = (
        select(LadderStage.run_id)
        .join(Ladder, Ladder.id == LadderStage.ladder_id)
        .where(Ladder.state.in_(("running", "waiting")))
    )
    held = set(session.scalars(pinned)) | set(session.scalars(climbing))
    return [run_id for run_id in ended_before(session, moment) if run_id not in held]
