"""Runs whose owner fell silent go back to the queue; workers that fell silent are struck off."""

import logging

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import FencedOff
from backend.runs.attempts import crashed
from backend.runs.evaluations import reap_evaluations
from backend.runs.external import end_silent
from backend.runs.models import Run
from backend.runs.states import EXTERNAL, RunState
from backend.workers.service import remove_silent_workers

ACTIVE = [state for state in RunState if state.is_active]
log = logging.getLogger(__name__)


def reap(session: Session, now: float, ttl: float, max_crashes: int) -> list[int]:
    """Treat attempts silent for longer than `ttl` as crashed; returns their runs."""
    silent = select(Run.id, Run.token).where(
        Run.state.in_(ACTIVE), Run.heartbeat_at < now - ttl, Run.preset != EXTERNAL
    )
    reaped = []
    for run_id, token in session.execute(silent).all():
        try:
            _reap_one(session, run_id, token, now, ttl, max_crashes)
        except FencedOff:
            continue
        reaped.append(run_id)
    end_silent(session, now, ttl)
    reap_evaluations(session, now - ttl, now)
    remove_silent_workers(session, now - ttl)
    return reaped


def _reap_one(
    session: Session, run_id: int, token: str, now: float, ttl: float, max_crashes: int
) -> None:
    reason = f"no heartbeat for {ttl:.0f} s: the worker or its machine is gone"
    crashed(session, run_id, token, reason, now, max_crashes)


class Reaper:
    """Reaps on a schedule, but only once everyone has had a fair chance to be heard.

    After its own start, after the database was away and after the process was frozen, heartbeats are
    old for reasons that are nobody's death; it waits one TTL before it judges.
    """

    def __init__(self, database: Database, ttl: float, max_crashes: int, now: float) -> None:
        self._database = database
        self._ttl = ttl
        self._max_crashes = max_crashes
        self._quiet_until = now + ttl
        self._last_visit = now

    def visit(self, now: float) -> list[int]:
        """Reap what is overdue; returns the runs reaped. Call it more often than once a TTL."""
        if not 0 <= now - self._last_visit < self._ttl:
            self._quiet_until = now + self._ttl
        self._last_visit = now
        if now < self._quiet_until:
            return []
        try:
            with self._database.write() as session:
                return reap(session, now, self._ttl, self._max_crashes)
        except SQLAlchemyError as error:
            log.warning("the reaper waits for the database: %s", error)
            self._quiet_until = now + self._ttl
            return []
