"""The thread that sends what is queued; whoever trains or serves never waits for it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from backend.database import Database
from backend.notify import queue
from backend.notify.channels import channels_of, kinds_of
from backend.notify.message import Channel, Message, NotSent
from backend.notify.models import Delivery
from backend.notify.queue import Wanted
from backend.settings import Settings

log = logging.getLogger(__name__)
INTERVAL = 2.0


class Sender:
    """Makes deliveries of new events and sends those that are due.

    Any number of processes may have one: a delivery is taken by one of them at a time. Without a
    channel no thread is started.
    """

    def __init__(
        self,
        database: Database,
        channels: Sequence[Channel],
        wanted: Wanted,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._channels = {channel.name: channel for channel in channels}
        self._wanted = wanted
        self._interval = interval
        self._clock = clock
        self._woken = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """The sender the settings ask for.

        Raises:
            InvalidConfig: a setting is wrong.
        """
        wanted = Wanted(kinds_of(settings), settings.public_url)
        return cls(database, channels_of(settings), wanted)

    def __enter__(self) -> Self:
        if self._channels:
            self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """A send under way is left to its daemon thread: another sender takes it over after its lease."""
        self._closed = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def wake(self) -> None:
        """Something was just written: look now instead of at the next interval."""
        self._woken.set()

    def _work(self) -> None:
        while not self._closed:
            try:
                self.visit()
            except SQLAlchemyError as error:
                log.warning("notifications wait for the database: %s", error)
            except Exception:  # news of tomorrow must not be lost to a fault of today
                log.exception("notifications were not looked after")
            self._woken.wait(self._interval)
            self._woken.clear()

    def visit(self) -> int:
        """Queue what is new and send what is due; how many were sent."""
        now = self._clock()
        for name in self._channels:
            if self._has_news(name):
                with self._database.write() as session:
                    queue.enqueue(session, name, self._wanted, now)
        return sum(self._send_due(name, now) for name in self._channels)

    def _send_due(self, channel: str, now: float) -> int:
        """Send until the channel does not answer: it must not keep the others waiting for each of its own."""
        with self._database.read() as session:
            due = queue.due(session, channel, now)
        sent = 0
        for delivery_id in due:
            if self._closed:
                break
            try:
                sent += self._deliver(delivery_id)
            except NotSent as problem:
                log.warning("notification %s by %s: %s", delivery_id, channel, problem)
                if not problem.final:
                    break
        return sent

    def _has_news(self, channel: str) -> bool:
        """Looked at before writing: a writer every two seconds would be in the trainers' way."""
        with self._database.read() as session:
            return queue.has_news(session, channel)

    def _deliver(self, delivery_id: int) -> bool:
        """Whether it was sent, and not by somebody else.

        Raises:
            NotSent: and noted so.
        """
        with self._database.write() as session:
            delivery = queue.take(session, delivery_id, self._clock())
        if delivery is None:
            return False
        problem = self._try(delivery)
        with self._database.write() as session:
            if problem is None:
                queue.note_sent(session, delivery_id, self._clock())
                return True
            queue.note_failure(session, delivery_id, str(problem), problem.final, self._clock())
        raise problem

    def _try(self, delivery: Delivery) -> NotSent | None:
        try:
            message = Message.of(delivery.message)
            self._channels[delivery.channel].send(message, str(delivery.id), self._clock())
        except NotSent as problem:
            return problem
        except Exception as error:  # one channel's fault must not silence the others
            return NotSent(f"{type(error).__name__}")
        return None
