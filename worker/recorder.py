"""The recorder: the loop appends to a list, a thread ships it to the database once a second."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import FencedOff, PitwallError
from backend.metrics.store import Point, append, stored_flush
from worker.spool import Batch, Spool

INTERVAL = 1.0
SPOOL_LIMIT = 256 * 2**20
CAUGHT_UP_AT_ONCE = 100_000  # points in a transaction: an hour's outage is made up for in seconds

log = logging.getLogger(__name__)

Judge = Callable[[Sequence[Point], float], None]
Ship = Callable[[Session, Sequence[Point], float], None]


class RecorderFailed(PitwallError):
    """The recorder met an error that no waiting cures; its cause says which."""

    title = "Recorder failed"


@dataclass
class Outage:
    """A time without the database. Points are dropped only when the spool is full."""

    since: float
    reason: str
    spooled: int = 0
    dropped: int = 0


def _nothing(*_: object) -> None:
    """A callback nobody asked for."""


class Recorder:
    """Takes points from the training loop and makes them durable, in order, exactly once.

    Once a second (`interval`) its thread collects what was added and, in one write transaction, stores
    it and calls `ship(session, points, now)`: progress, heartbeat and events of the same moment stand
    or fall with the points. The transaction takes place without new points too. `shipped()` follows
    each commit and confirms what `ship` wrote last. A flush that failed is repeated under its number, so
    that one whose commit had arrived after all changes nothing; `ship` is called again once every point
    is stored, unless it had arrived too.

    `judge(points, now)` sees every point once, before it is shipped, with the database away too.
    `alert(message)` tells when the database goes away, comes
    back, and when points are lost because the spool is full. All four are called in the thread.

    While the database is away flushes wait in the folder `spool`. What an earlier attempt left there
    is shipped first.

    Attributes:
        fenced: another attempt owns the run (`ship` raised FencedOff): nothing is recorded any more.
        outage: the outage under way, or None.
    """

    def __init__(
        self,
        database: Database,
        segment_id: int,
        spool: Path,
        ship: Ship,
        judge: Judge = _nothing,
        shipped: Callable[[], None] = _nothing,
        alert: Callable[[str], None] = _nothing,
        interval: float = INTERVAL,
        spool_limit: int = SPOOL_LIMIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.fenced = False
        self.outage: Outage | None = None
        self._database = database
        self._segment_id = segment_id
        self._spool = Spool(spool, spool_limit)
        self._ship, self._judge, self._shipped, self._alert = ship, judge, shipped, alert
        self._interval = interval
        self._clock = clock
        self._rows: deque[tuple[int, int, float, Mapping[str, float]]] = deque()
        self._number = 0
        self._uncertain: int | None = (
            None  # a flush that may have arrived, what shipped with it too
        )
        self._error: BaseException | None = None
        self._turn = Condition()
        self._asked = self._answered = 0
        self._woken = self._closing = self._ended = False
        self._thread = Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def add(self, values: Mapping[str, float], step: int, episode: int) -> None:
        """Record values of one step, stamped with the time of now. The mapping is the recorder's from here on.

        Raises:
            RecorderFailed: when the thread ended by an error.
        """
        if self._ended:
            self._refuse()
            return
        self._rows.append((step, episode, self._clock(), values))

    def flush(self, wait: bool = True, timeout: float | None = None) -> bool:
        """Ship now; with `wait`, return once everything added before is committed.

        Returns:
            False when that did not happen within `timeout` seconds, or the recorder is fenced off.

        Raises:
            RecorderFailed: when the thread ended by an error.
        """
        with self._turn:
            self._asked += 1
            mine = self._asked
            self._woken = True
            self._turn.notify_all()
            if wait:
                self._turn.wait_for(lambda: self._answered >= mine or self._ended, timeout)
            done = self._answered >= mine
        if not done and self._ended:
            self._refuse()
        return done

    def close(self, timeout: float = 10.0) -> bool:
        """Ship what is left and end the thread.

        With the database away, keep trying for `timeout` seconds; what is still waiting then stays in
        the spool for the next attempt.

        Returns:
            Whether everything reached the database.

        Raises:
            RecorderFailed: when the thread ended by an error.
        """
        self.flush(wait=True, timeout=timeout)
        with self._turn:
            self._closing = self._woken = True
            self._turn.notify_all()
        self._thread.join()
        if self._error is not None:
            self._refuse()
        return not self.fenced and not len(self._spool)

    def _refuse(self) -> None:
        if self._error is not None:
            raise RecorderFailed(f"Recording stopped: {self._error}") from self._error

    def _work(self) -> None:
        try:
            while not self._closing or self._rows:
                self._wait()
                asked = self._asked
                if self._deliver(self._collect()):
                    self._answer(asked)
        except FencedOff as error:
            log.warning("recording stopped: %s", error)
            self.fenced = True
        except BaseException as error:
            log.exception("recording stopped")
            self._error = error
        finally:
            with self._turn:
                self._ended = True
                self._turn.notify_all()

    def _wait(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._woken, self._interval)
            self._woken = False

    def _answer(self, asked: int) -> None:
        with self._turn:
            self._answered = asked
            self._turn.notify_all()

    def _collect(self) -> Batch:
        """Everything added so far."""
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        points = [
            (metric, step, episode, at, float(value))
            for step, episode, time_of_row, values in rows
            for at in (round(time_of_row, 3),)  # once a row: it costs more than all the rest
            for metric, value in values.items()
        ]
        self._judge(points, self._clock())
        self._number += 1
        return Batch(self._segment_id, self._number, points)

    def _deliver(self, batch: Batch) -> bool:
        """Ship the spool, then the batch; False when the database is away."""
        try:
            while group := self._spool.oldest(CAUGHT_UP_AT_ONCE):
                self._catch_up(group)
            self._send(batch)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            self._keep(batch, error)
            return False
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._keep(batch, error)
            return False
        self._back()
        return True

    def _catch_up(self, group: list[Batch]) -> None:
        """Store spooled batches of one segment. What ships with the points waits until all are there."""
        with self._database.write() as session:
            stored = stored_flush(session, group[0].segment_id)
            # Only a row can be locked against a lost transaction that is still on its way.
            group = group if stored else group[:1]
            points = [p for batch in group if batch.number > stored for p in batch.points]
            new = append(session, group[0].segment_id, points, flush=group[-1].number)
            if group[0].segment_id == self._segment_id:
                self._settle(stored, repeated=not new)
        for batch in group:
            self._spool.discard(batch)

    def _settle(self, stored: int, *, repeated: bool) -> None:
        """Whether the flush that failed had arrived: known now, before anything else is committed."""
        if self._uncertain is None:
            return
        arrived = repeated or self._uncertain <= stored
        self._uncertain = None
        if arrived:
            self._shipped()

    def _send(self, batch: Batch) -> None:
        self._uncertain = batch.number
        with self._database.write() as session:
            append(session, batch.segment_id, batch.points, flush=batch.number)
            self._ship(session, batch.points, self._clock())
        self._uncertain = None
        self._shipped()

    def _keep(self, batch: Batch, error: Exception) -> None:
        """Spool a batch that could not be sent."""
        if self.outage is None:
            self.outage = Outage(self._clock(), str(error).splitlines()[0])
            self._tell(f"The database is away, metrics wait on disk: {self.outage.reason}")
        # The first batch of an outage may have arrived after all: empty or not, it keeps its number.
        if not batch.points and len(self._spool):
            return
        if self._spool.put(batch):
            self.outage.spooled += len(batch.points)
            return
        if not self.outage.dropped:
            self._tell("Metrics are being lost: the database is away and the spool is full")
        self.outage.dropped += len(batch.points)

    def _back(self) -> None:
        if self.outage is None:
            return
        outage, self.outage = self.outage, None
        self._tell(
            f"The database is back after {self._clock() - outage.since:.0f} s: "
            f"{outage.spooled:,} points caught up, {outage.dropped:,} lost"
        )

    def _tell(self, message: str) -> None:
        log.warning(message)
        self._alert(message)
