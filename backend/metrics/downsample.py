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


def extent(parts: Sequence[Columns | Blocks], x: Axis) -> tuple[float, float] | None:
    """The lowest and highest clock reading of all parts; None without a point."""
    ends = [_ends(part, x) for part in parts if len(part)]
    if not ends:
        return None
    return min(float(first.min()) for first, _ in ends), max(float(last.max()) for _, last in ends)


def as_curve(parts: Sequence[Columns | Blocks], x: Axis) -> Curve:
    """One row per point, or per block."""
    blocks = [Blocks.of_points(p, x) if isinstance(p, Columns) else p for p in parts]
    return Blocks.concatenate(blocks or [Blocks.of_points(Columns.empty(), x)]).curve()


def downsample(
    parts: Sequence[Columns | Blocks], x: Axis, start: float, end: float, columns: int
) -> Curve:
    """One row per pixel column of `[start, end]` that holds any block.

    A block belongs to the column its middle falls into. Blocks keep their order: where a clock went
    back, a column may appear twice.
    """

    span = max(end - start, np.finfo(float).tiny)

    def groups(middle: Floats) -> Integers:
        place = middle - start
        place /= span
        place *= columns
        column = np.clip(place, 0, columns - 1, out=place).astype(np.int32)
        return np.append(0, np.flatnonzero(column[1:] != column[:-1]) + 1)

    # Each part by itself first: points by the ten thousand must not be copied about to be joined.
    merged = [_merged(part, x, groups(_middle(part, x))) for part in parts if len(part)]
    if not merged:
        return as_curve([], x)
    blocks = Blocks.concatenate(merged)
    return blocks.merged(groups(_middle(blocks, x))).curve()


def _ends(part: Columns | Blocks, x: Axis) -> tuple[Floats, Floats]:
    if isinstance(part, Blocks):
        return part.first, part.last
    at = part.axis(x)
    return at, at


def _middle(part: Columns | Blocks, x: Axis) -> Floats:
    return (part.first + part.last) / 2 if isinstance(part, Blocks) else part.axis(x)


def _merged(part: Columns | Blocks, x: Axis, starts: Integers) -> Blocks:
    if isinstance(part, Columns):
        if not np.isfinite(part.value).all():
            return Blocks.of_points(part, x).merged(starts)
        return _finite_points(part, x, starts)
    return part.merged(starts)


def _finite_points(points: Columns, x: Axis, starts: Integers) -> Blocks:
    """As a block per point, merged: without the blocks."""
    at, value = points.axis(x), points.value
    ends = np.append(starts[1:], len(points))
    with np.errstate(over="ignore"):
        total = np.add.reduceat(value, starts)
    count = ends - starts
    return Blocks(
        at[starts],
        at[ends - 1],
        np.minimum.reduceat(value, starts),
        np.maximum.reduceat(value, starts),
        total,
        count,
        count,
    )
