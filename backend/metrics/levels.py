"""Summary levels: how many points an entry of each level stands for, and which entries cover a range. Pure.

Level 0 holds points. An entry of level 1 sums up 64 points, one of each further level 8 entries of the
level below. Each level covers the full chunks of the level below it, so what it leaves out is at
most one chunk per level: any range is covered by few entries, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from backend.metrics.columns import Axis, Columns, Floats, Integers

CHUNK = 1024
FIRST_WIDTH, FANOUT = 64, 8
TOP = 6


@dataclass(frozen=True, slots=True)
class Span:
    """Entries `[start, stop)` of one level."""

    level: int
    start: int
    stop: int

    @property
    def chunks(self) -> range:
        return range(self.start // CHUNK, (self.stop - 1) // CHUNK + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Entries of a summary level as columns. `low` is inf and `high` -inf where no value was finite."""

    first_step: Integers
    last_step: Integers
    first_episode: Integers
    last_episode: Integers
    first_time: Floats
    last_time: Floats
    low: Floats
    high: Floats
    total: Floats
    finite: Integers

    @classmethod
    def of_points(cls, points: Columns, width: int = FIRST_WIDTH) -> Self:
        """One entry per `width` points, whose number must be a multiple of it."""
        value = points.value.reshape(-1, width)
        finite = np.isfinite(value)
        firsts, lasts = slice(None, None, width), slice(width - 1, None, width)
        with np.errstate(over="ignore"):
            total = np.where(finite, value, 0.0).sum(axis=1)
        return cls(
            points.step[firsts],
            points.step[lasts],
            points.episode[firsts],
            points.episode[lasts],
            points.time[firsts],
            points.time[lasts],
            np.where(finite, value, np.inf).min(axis=1),
            np.where(finite, value, -np.inf).max(axis=1),
            total,
            finite.sum(axis=1, dtype=np.int64),
        )

    def coarser(self) -> "Summary":
        """One entry per `FANOUT` entries, whose number must be a multiple of it."""
        firsts, lasts = slice(None, None, FANOUT), slice(FANOUT - 1, None, FANOUT)
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.total.reshape(-1, FANOUT).sum(axis=1)
        return Summary(
            self.first_step[firsts],
            self.last_step[lasts],
            self.first_episode[firsts],
            self.last_episode[lasts],
            self.first_time[firsts],
            self.last_time[lasts],
            self.low.reshape(-1, FANOUT).min(axis=1),
            self.high.reshape(-1, FANOUT).max(axis=1),
            total,
            self.finite.reshape(-1, FANOUT).sum(axis=1),
        )

    def __len__(self) -> int:
        return len(self.finite)

    def __getitem__(self, rows: slice) -> "Summary":
        columns: list[Any] = [array[rows] for array in self.arrays]
        return Summary(*columns)

    @classmethod
    def concatenate(cls, parts: Sequence["Summary"]) -> Self:
        columns: list[Any] = [
            np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True)
        ]
        return cls(*columns)

    def ends(self, x: Axis) -> tuple[Floats, Floats]:
        """First and last clock reading of every entry."""
        first, last = getattr(self, f"first_{x}"), getattr(self, f"last_{x}")
        return first.astype(np.float64), last.astype(np.float64)

    @property
    def arrays(self) -> tuple[Integers | Floats, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)


def width(level: int) -> int:
    """Points one entry of `level` stands for."""
    return 1 if level == 0 else int(FIRST_WIDTH * FANOUT ** (level - 1))


def closed_chunks(count: int, level: int) -> int:
    """Full chunks of `level` in a series of `count` points."""
    return count // (CHUNK * width(level))


def covered(count: int, level: int) -> int:
    """Points from the first on that `level` has entries for."""
    if level == 0:
        return count
    return closed_chunks(count, level - 1) * CHUNK * width(level - 1)


def choose_level(points: int, columns: int) -> int:
    """The coarsest level that still has an entry for every pixel column."""
    return max(
        (level for level in range(TOP + 1) if points >= columns * width(level)),
        default=0,
    )


def cover(start: int, stop: int, level: int, count: int) -> list[Span]:
    """Entries of `level` and below that together hold exactly the points `[start, stop)`, in order."""
    if start >= stop:
        return []
    if level == 0:
        return [Span(0, start, stop)]
    size = width(level)
    first, last = -(-start // size), min(stop, covered(count, level)) // size
    if first >= last:
        return cover(start, stop, level - 1, count)
    return [
        *cover(start, first * size, level - 1, count),
        Span(level, first, last),
        *cover(last * size, stop, level - 1, count),
    ]
