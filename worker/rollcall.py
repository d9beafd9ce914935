"""Asks the servers that others run whether they answer, beside the heartbeat, which it must not hold up."""

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from backend.database import Database
from backend.workers.service import forget_unasked
from worker.simulators import Simulators

log = logging.getLogger(__name__)
# A free server that no worker has asked for so many rounds is named by nobody any more.
ROUNDS_KEPT = 15


class RollCall:
    """A thread that looks at a worker's servers every `interval` seconds."""

    def __init__(self, database: Database, simulators: Simulators, interval: float) -> None:
        self._database = database
        self._simulators = simulators
        self._interval = interval
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="rollcall", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while True:
            try:
                self._simulators.look()
                with self._database.write() as session:
                    forget_unasked(session, time.time() - ROUNDS_KEPT * self._interval)
            except SQLAlchemyError as error:
                log.warning("no roll call, the database is away: %s", error)
            if self._closed.wait(self._interval):
                return
