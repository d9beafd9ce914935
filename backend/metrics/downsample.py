"""Downsampling: points or summaries to one min, max, mean and count per pixel column. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.metrics.columns import Axis, Columns, Floats, Integers
from backend.metrics.levels import Summary


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What a chart draws, column by column: `low`, `high` and `mean` of the finite values.

    They are NaN where none was finite. `x` is the middle of the points a column holds, `count` how
    many there are, `nonfinite` how many of these are NaN or infinite.
    """

    x: Floats
    low: Floats
    high: Floats
    mean: Floats
    count: Integers
    nonfinite: Integers

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Stretches of points on one axis: where each begins and ends, and what its values sum up to."""

    first: Floats
    last: Floats
    low: Floats
    high: Floats
    total: Floats
    finite: Integers
    count: Integers

    @classmethod
    def of_points(cls, points: Columns, x: Axis) -> Self:
        """A block per point."""
        at, finite = points.axis(x), np.isfinite(points.value)
        return cls(
            at,
            at,
            np.where(finite, points.value, np.inf),
            np.where(finite, points.value, -np.inf),
            np.where(finite, points.value, 0.0),
            finite.astype(np.int64),
            np.ones(len(points), np.int64),
        )

    @classmethod
    def of_summary(cls, summary: Summary, x: Axis, width: int) -> Self:
        """A block per entry of a level whose entries stand for `width` points."""
        first, last = summary.ends(x)
        return cls(
            first,
            last,
            summary.low,
            summary.high,
            summary.total,
            summary.finite,
            np.full(len(summary), width, np.int64),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Blocks"]) -> Self:
        names = cls.__slots__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return len(self.first)

    def merged(self, starts: Integers) -> "Blocks":
        """One block per group of neighbours; `starts` are the groups' first rows."""
        ends = np.append(starts[1:], len(self)) - 1
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduceat(self.total, starts)
        return Blocks(
            self.first[starts],
            self.last[ends],
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            total,
            np.add.reduceat(self.finite, starts),
            np.add.reduceat(self.count, starts),
        )

    def curve(self) -> Curve:
        empty = self.finite == 0
        low, high = np.where(empty, np.nan, self.low), np.where(empty, np.nan, self.high)
        with np.errstate(invalid="ignore"):
            mean = np.where(empty, np.nan, self.total / np.maximum(self.finite, 1))
        # Rounding, and sums beyond the largest float, must not put a mean outside its band.
        return Curve(
            (self.first + self.last) / 2,
            low,
            high,
            np.clip(mean, low, high),
            self.count,
            self.count - self.finite,
        )


def downsample(blocks: Blocks, start: float, end: float, columns: int) -> Curve:
    """One row per pixel column of `[start, end]` that holds any block.

    A block belongs to the column its middle falls into. Blocks keep their order: where a clock went
    back, a column may appear twice.
    """
    if not len(blocks):
        return blocks.curve()
    middle = (blocks.first + blocks.last) / 2
    span = max(end - start, np.finfo(float).tiny)
    column = np.clip((middle - start) / span * columns, 0, columns - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    return blocks.merged(starts).curve()
