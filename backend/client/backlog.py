"""Flushes on their way: numbered, in order, compressed, and bounded."""

import json
import logging
import math
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.client.intake import Point

LIMIT = 64 * 2**20
MOST_POINTS = 20_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flush:
    """Points that travel together. A repeat under the same number changes nothing at the server."""

    number: int
    count: int
    content: bytes

    @property
    def points(self) -> list[Any]:
        """The points as JSON has them."""
        points: list[Any] = json.loads(zlib.decompress(self.content))
        return points


class Backlog:
    """Points waiting for the server, oldest first, `limit` bytes of them at the most.

    A flush gets its number and its final content when it is first sent; what waits behind gathers, so
    that an hour's outage is made up for in a few large flushes.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.lost = 0
        self._limit = limit
        self._sealed: deque[Flush] = deque()
        self._bytes = 0
        self._open: list[Point] = []
        self._number = 0

    @property
    def waiting(self) -> int:
        return sum(flush.count for flush in self._sealed) + len(self._open)

    def add(self, points: Sequence[Point]) -> None:
        self._open += points
        while len(self._open) >= MOST_POINTS:
            self._seal()

    def head(self) -> Flush | None:
        """The oldest flush, the same until it is discarded; None when nothing waits."""
        if not self._sealed and self._open:
            self._seal()
        return self._sealed[0] if self._sealed else None

    def discard(self) -> None:
        """Forget the oldest flush."""
        self._bytes -= len(self._sealed.popleft().content)

    def _seal(self) -> None:
        points, self._open = self._open[:MOST_POINTS], self._open[MOST_POINTS:]
        content = zlib.compress(json.dumps([(*p[:4], _portable(p[4])) for p in points]).encode())
        if self._bytes + len(content) > self._limit:
            if not self.lost:
                log.warning("points are being lost: %d MiB wait for the server", self._limit >> 20)
            self.lost += len(points)
            return
        self._number += 1
        self._bytes += len(content)
        self._sealed.append(Flush(self._number, len(points), content))


def _portable(value: float) -> float | str:
    """JSON has no number for what is not finite."""
    return value if math.isfinite(value) else str(value)
