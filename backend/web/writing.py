"""A report under way: how far it is, told while the page comes, and the evidence its pictures are drawn from."""

import threading
import time
from collections.abc import Generator

from backend.reports.evidence import Evidence
from backend.web.templates import fragment

# Where in its page the report goes.
PLACE = "<!-- report -->"
EVERY = 0.25
KEPT = 120.0


def told(work: Generator[float, None, Evidence]) -> Generator[str, None, Evidence]:
    """The work's outcome; yields HTML that says how far it is. Of the lines only the last is shown."""
    began = told_at = time.monotonic()
    yield fragment("_writing.html", {"share": 0.0, "left": None})
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            yield fragment("_writing.html", {"share": 1.0, "left": None})
            found: Evidence = end.value
            return found
        now = time.monotonic()
        if now >= told_at + EVERY and share:
            left = (now - began) * (1 - share) / share
            told_at = now
            yield fragment("_writing.html", {"share": share, "left": left})


class Recent:
    """The evidence of the report written last: its pictures are asked for right after it, several at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run_id, self._at = 0, 0.0
        self._evidence: Evidence | None = None

    def put(self, run_id: int, evidence: Evidence) -> None:
        with self._lock:
            self._run_id, self._at, self._evidence = run_id, time.monotonic(), evidence

    def get(self, run_id: int) -> Evidence | None:
        """None when it was another run's, or too long ago."""
        with self._lock:
            kept = self._run_id == run_id and time.monotonic() < self._at + KEPT
            if time.monotonic() >= self._at + KEPT:
                self._evidence = None
            return self._evidence if kept else None
