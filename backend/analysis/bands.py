"""One curve for several seeds: a centre over runs and the 95 % bootstrap interval around it; pure numpy."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 1_000


class Centre(StrEnum):
    """What stands for the runs at each place."""

    IQM = "iqm"
    MEAN = "mean"

    @property
    def words(self) -> str:
        return "interquartile mean" if self is Centre.IQM else "mean"

    def of(self, values: Floats, axis: int) -> Floats:
        """Along `axis`; NaN where a run has none."""
        if self is Centre.MEAN:
            return np.asarray(values.mean(axis=axis))
        count = values.shape[axis]
        ordered = np.sort(values, axis=axis)
        kept = np.take(ordered, range(count // 4, count - count // 4), axis=axis)
        return np.asarray(kept.mean(axis=axis))


def estimator(centre: Centre) -> str:
    """The names of both estimators, to stand beside the picture."""
    return (
        f"{centre.words} over runs; band: 95 % percentile bootstrap over runs, "
        f"{RESAMPLES:,} resamples"
    )


def shared_grid(xs: Sequence[Floats], points: int) -> Floats:
    """From where every curve has begun to where the first one ends; empty when they do not overlap."""
    first = max((x[0] for x in xs), default=0.0)
    last = min((x[-1] for x in xs), default=-1.0)
    return np.linspace(first, last, points) if first <= last else np.empty(0)


def on_grid(grid: Floats, x: Floats, y: Floats) -> Floats:
    """y between its points, straight from one to the next; points that are not finite are passed over."""
    finite = np.isfinite(y)
    if not finite.any():
        return np.full(len(grid), np.nan)
    return np.interp(grid, x[finite], y[finite])


def band(values: Floats, centre: Centre, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Centre, low and high of `values` (runs, places): whole runs are drawn again, places stay together."""
    runs = len(values)
    drawn = np.random.default_rng(seed).integers(0, runs, (RESAMPLES, runs))
    low, high = np.percentile(centre.of(values[drawn], axis=1), [2.5, 97.5], axis=0)
    return centre.of(values, axis=0), low, high
