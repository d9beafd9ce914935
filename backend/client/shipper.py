"""The thread that ships what a script logs, about once a second, and hears what is wanted of the run."""

import logging
import time
from collections import deque
from threading import Condition, Thread
from typing import Any

from backend.client.backlog import Backlog
from backend.client.connection import Connection
from backend.client.errors import ServerAway, ServerRefused
from backend.client.files import Files, digest
from backend.client.intake import Intake, Row

INTERVAL = 1.0

log = logging.getLogger(__name__)


class Shipper:
    """Ships rows in order, each point once, and without rows a sign of life.

    With the server away everything waits, in memory and within a bound, and is sent when it is back: a
    flush whose answer was lost goes out again under its number, which the server knows.

    Attributes:
        desired: what people and rules want, by the last answer: `run`, `halt` or `cancel`.
        verdict: the verdict by the last answer.
    """

    def __init__(
        self, connection: Connection, run_id: int, token: str, interval: float = INTERVAL
    ) -> None:
        self.desired, self.verdict = "run", "too-early"
        self._connection = connection
        self._path = f"/runs/{run_id}"
        self._token = token
        self._interval = interval
        self._rows: deque[Row] = deque()
        self._files: deque[Files] = deque()
        self._intake, self._backlog = Intake(), Backlog()
        self._refused = 0
        self._away_since: float | None = None
        self._turn = Condition()
        self._asked = self._answered = 0
        self._woken = self._closing = self._ended = False
        self._thread = Thread(target=self._work, name="pitwall", daemon=True)
        self._thread.start()
        self.add = self._rows.append

    @property
    def lost(self) -> int:
        """Points that were not and will not be stored."""
        return self._intake.lost + self._backlog.lost + self._refused

    def register(self, files: Files) -> None:
        """Tell the server of saved files, after the points logged before."""
        self._files.append(files)

    def flush(self, timeout: float) -> bool:
        """Ship now; whether everything added before has arrived within `timeout` seconds."""
        with self._turn:
            self._asked += 1
            mine = self._asked
            self._woken = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._answered >= mine or self._ended, timeout)
            return self._answered >= mine

    def close(self, patience: float) -> bool:
        """Ship what is left for at most `patience` seconds and end the thread; whether all arrived."""
        arrived = self.flush(patience)
        with self._turn:
            self._closing = self._woken = True
            self._turn.notify_all()
        self._thread.join()
        if waiting := self._backlog.waiting:
            log.warning("%d points did not reach the server before the end", waiting)
        return arrived

    def _work(self) -> None:
        try:
            while not self._closing:
                self._wait()
                asked = self._asked
                rows = [self._rows.popleft() for _ in range(len(self._rows))]
                self._backlog.add(self._intake.points(rows))
                if self._deliver():
                    self._answer(asked)
        except Exception:
            log.exception("recording to Pitwall stopped")
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

    def _deliver(self) -> bool:
        """Send everything that waits, or a sign of life; False when the server is away."""
        try:
            spoken = self._send_points()
            spoken = self._send_files() or spoken
            if not spoken:
                self._say("heartbeat", {})
        except ServerAway as error:
            if self._away_since is None:
                self._away_since = time.monotonic()
                log.warning("points wait for the server: %s", error)
            return False
        if self._away_since is not None:
            log.warning("the server is back after %.0f s", time.monotonic() - self._away_since)
            self._away_since = None
        return True

    def _send_points(self) -> bool:
        spoken = False
        while (flush := self._backlog.head()) is not None:
            if not self._say("points", {"flush": flush.number, "points": flush.points}):
                self._refused += flush.count
            self._backlog.discard()
            spoken = True
        return spoken

    def _send_files(self) -> bool:
        spoken = False
        while self._files:
            try:
                body = digest(self._files[0])
            except OSError as error:
                log.warning("a checkpoint is not registered: %s", error)
            else:
                spoken = self._say("checkpoints", body) or spoken
            self._files.popleft()
        return spoken

    def _say(self, what: str, body: dict[str, Any]) -> bool:
        """Tell the server; False when it refused."""
        try:
            answer = self._connection.post(f"{self._path}/{what}", {"token": self._token, **body})
        except ServerRefused as error:
            log.error("the server refused %s: %s", what, error)
            return False
        if "desired" in answer:
            self.desired, self.verdict = answer["desired"], answer["verdict"]
        return True
