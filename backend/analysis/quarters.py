"""One series in a few numbers; every estimator is named, none is a library's default."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ESTIMATORS = {
    "mean": "arithmetic mean",
    "std": "population standard deviation",
    "trend_percent": "100 (mean of v[int(3n/4):] - mean of v[:int(n/4)]) / mean of v[:int(n/4)]",
    "quarters": "edges int(n i / 4), i = 0..4; half-open",
}


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The finite ones, as floats: a spike to infinity is counted elsewhere, not averaged."""
    array = np.asarray(values, np.float64)
    kept: NDArray[np.float64] = array[np.isfinite(array)]
    return kept


@dataclass(frozen=True)
class Summary:
    """A series of `n` finite values, `dropped` more were not. `trend_percent` as in ESTIMATORS."""

    n: int
    mean: float
    std: float
    min: float
    max: float
    first5: tuple[float, ...]
    last5: tuple[float, ...]
    trend_percent: float | None
    dropped: int = 0


def summarise(values: ArrayLike) -> Summary | None:
    """None when no value is finite."""
    array = finite(values)
    if not len(array):
        return None
    return Summary(
        n=len(array),
        mean=float(array.mean()),
        std=float(array.std()),
        min=float(array.min()),
        max=float(array.max()),
        first5=tuple(array[:5].tolist()),
        last5=tuple(array[-5:].tolist()),
        trend_percent=trend_percent(array),
        dropped=np.size(np.asarray(values)) - len(array),
    )


def trend_percent(values: ArrayLike) -> float | None:
    """Change from the first quarter's mean to the last's, in per cent of the first.

    None for fewer than four values, or when the first quarter's mean is 0.
    """
    array = finite(values)
    if len(array) < 4:
        return None
    first = float(array[: int(len(array) / 4)].mean())
    last = float(array[int(3 * len(array) / 4) :].mean())
    return 100 * (last - first) / first if first else None


@dataclass(frozen=True)
class Quarter:
    """Values [start, stop) of a series with the mean and population std of the finite ones, if any.

    `dropped` were not finite.
    """

    start: int
    stop: int
    mean: float | None
    std: float | None
    dropped: int = 0

    @property
    def n(self) -> int:
        return self.stop - self.start

    def document(self) -> dict[str, Any]:
        """As reports print it."""
        return {
            "from": self.start,
            "to": self.stop,
            "n": self.n,
            "mean": self.mean,
            "std": self.std,
            "dropped": self.dropped,
        }


def quarters(values: ArrayLike) -> tuple[Quarter, ...]:
    """Four quarters of a series, edges int(n i / 4)."""
    array = np.asarray(values, np.float64)
    edges = [int(len(array) * i / 4) for i in range(5)]
    return tuple(_quarter(array, start, stop) for start, stop in pairwise(edges))


def _quarter(array: NDArray[np.float64], start: int, stop: int) -> Quarter:
    part = finite(array[start:stop])
    dropped = stop - start - len(part)
    if not len(part):
        return Quarter(start, stop, None, None, dropped)
    return Quarter(start, stop, float(part.mean()), float(part.std()), dropped)


def variance_collapse(parts: Sequence[Quarter]) -> float | None:
    """Std of the first quarter over that of the last: 50 reads "spread fell fiftyfold"."""
    first, last = parts[0].std, parts[-1].std
    return first / last if first is not None and last else None
