"""Tells the broker that there may be work, again and again while a run stays queued.

The database is the truth and a message only a hint: one that is lost is sent again, one too many finds
nothing to claim.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.database import Database
from backend.runs.evaluations import queued_evaluations
from backend.runs.models import Run
from backend.runs.reaper import Reaper
from backend.runs.states import Desired, RunState
from backend.settings import Settings

FIRST_REPEAT, LONGEST_REPEAT = 2.0, 30.0
log = logging.getLogger(__name__)


def claimable(session: Session, now: float) -> list[int]:
    """Runs a worker may claim now: those that were under way before, then the longest waiting."""
    query = select(Run.id).where(
        Run.state == RunState.QUEUED, Run.desired == Desired.RUN, Run.not_before <= now
    )
    return list(session.scalars(query.order_by(Run.attempt == 0, Run.id)))


class Hints:
    """When to send which hint: at once when a run becomes claimable, then ever more seldom."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, float]] = {}

    def due(self, queued: list[int], now: float) -> list[int]:
        """The runs among `queued` to send a hint for, in its order; forgets those no longer queued.

        A run's hint comes after one for each that waits before it, or the newest would be taken first.
        """
        self._due = {run_id: self._due.get(run_id, (now, FIRST_REPEAT)) for run_id in queued}
        last = max(
            (n for n, run_id in enumerate(queued) if self._due[run_id][0] <= now), default=-1
        )
        due = queued[: last + 1]
        for run_id in due:
            wait = self._due[run_id][1]
            self._due[run_id] = (now + wait, min(2 * wait, LONGEST_REPEAT))
        return due


class Dispatcher:
    """A thread that sends hints after commits and reaps silent attempts; nothing waits for it.

    `duties` are what else is to be looked after between the two; each bears an absent database.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        publish: Callable[[int], None],
        interval: float = 0.5,
        publish_evaluation: Callable[[int], None] | None = None,
        duties: Sequence[Callable[[Database, float], object]] = (),
    ) -> None:
        """`publish` tells workers about a run, `publish_evaluation` about an evaluation to drive."""
        self._database = database
        self._publish = publish
        self._publish_evaluation = publish_evaluation
        self._interval = interval
        self._duties = duties
        self._hints = Hints()
        self._evaluation_hints = Hints()
        self._reaper = Reaper(
            database, settings.heartbeat_ttl, settings.max_crashes, now=time.time()
        )
        self._woken = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="dispatcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self._woken.set()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        """A run was just queued: look now instead of at the next interval."""
        self._woken.set()

    def _work(self) -> None:
        while not self._closed:
            self._visit(time.time())
            self._woken.wait(self._interval)
            self._woken.clear()

    def _visit(self, now: float) -> None:
        try:
            self._reaper.visit(now)
            for duty in self._duties:
                duty(self._database, now)
            with self._database.read() as session:
                queued = claimable(session, now)
                evaluations = queued_evaluations(session) if self._publish_evaluation else []
        except SQLAlchemyError as error:
            log.warning("the dispatcher waits for the database: %s", error)
            return
        # One broker: when it is away for the one, it is for the other.
        if self._send("run", self._publish, self._hints.due(queued, now)) and (
            self._publish_evaluation is not None
        ):
            due = self._evaluation_hints.due(evaluations, now)
            self._send("evaluation", self._publish_evaluation, due)

    def _send(self, what: str, publish: Callable[[int], None], due: list[int]) -> bool:
        for number in due:
            try:
                publish(number)
            except OSError as error:
                log.warning("no hint for %s %s, the broker is away: %s", what, number, error)
                return False
        return True
