"""Groups of runs compared: robust aggregates with intervals, as rliable (Agarwal et al. 2021) defines them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054
EXACT_LIMIT = 400  # n * m up to which the Mann-Whitney distribution is counted, not approximated


@dataclass(frozen=True)
class Estimate:
    """A point estimate with its interval, and the names of both estimators."""

    value: float
    low: float
    high: float
    estimator: str
    interval: str


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half: int(n/4) values cut off at either end. NaN without values."""
    array = np.sort(np.asarray(values, np.float64), axis=None)
    cut = len(array) // 4
    kept = array[cut : len(array) - cut]
    return float(kept.mean()) if len(kept) else math.nan


def bootstrap(
    tasks: Sequence[ArrayLike],
    statistic: Callable[[NDArray[np.float64]], float] = interquartile_mean,
    *,
    resamples: int = 2_000,
    seed: int = 0,
    estimator: str = "interquartile mean",
) -> Estimate:
    """Percentile interval of a statistic over runs, resampled within each task (strata).

    Raises:
        ValueError: a task has no runs.
    """
    strata = [np.asarray(task, np.float64) for task in tasks]
    if not strata or any(not len(stratum) for stratum in strata):
        raise ValueError("a task without runs has no interval: leave it out or add runs")
    generator = np.random.default_rng(seed)
    drawn = [s[generator.integers(0, len(s), (resamples, len(s)))] for s in strata]
    pooled = np.concatenate(drawn, axis=1)
    low, high = np.percentile([statistic(row) for row in pooled], [2.5, 97.5])
    name = f"95 % stratified bootstrap, percentile, {resamples:,} resamples"
    return Estimate(statistic(np.concatenate(strata)), float(low), float(high), estimator, name)


@dataclass(frozen=True)
class RankTest:
    """Mann-Whitney U of x against y. `improvement` is P(x > y) + P(x = y)/2; `p` is two-sided."""

    u: float
    p: float
    improvement: float
    method: str


def mann_whitney(x: ArrayLike, y: ArrayLike) -> RankTest:
    """Exact for small groups without ties, else normal with tie and continuity correction.

    Raises:
        ValueError: a group is empty.
    """
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError(f"groups of {n} and {m} runs cannot be compared: both need one at least")
    greater = (first[:, None] > second).sum()
    ties = (first[:, None] == second).sum()
    u = float(greater + 0.5 * ties)
    _, counts = np.unique(np.concatenate([first, second]), return_counts=True)
    if counts.max() == 1 and n * m <= EXACT_LIMIT:
        p, method = _exact_p(u, n, m), "exact"
    else:
        p, method = _normal_p(u, n, m, counts), "normal, tie and continuity corrected"
    return RankTest(u, p, u / (n * m), method)


def _exact_p(u: float, n: int, m: int) -> float:
    """Two-sided p from the counted distribution of U under exchangeability."""
    ways = _u_counts(n, m)
    tail = min(int(u), n * m - int(u))
    return min(1.0, 2 * float(ways[: tail + 1].sum()) / math.comb(n + m, n))


def _u_counts(n: int, m: int) -> NDArray[np.float64]:
    """Arrangements by U: coefficients of the Gaussian binomial (n + m choose n)."""
    size = n * m + 1
    counts = np.zeros(size)
    counts[0] = 1
    for k in range(1, n + 1):
        step = m + k
        if step < size:
            counts[step:] = counts[step:] - counts[:-step]
        for index in range(k, size):
            counts[index] += counts[index - k]
    return counts


def _normal_p(u: float, n: int, m: int, tie_counts: NDArray[np.int64]) -> float:
    total = n + m
    ties = float((tie_counts.astype(float) ** 3 - tie_counts).sum())
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def probability_of_improvement(
    x: Sequence[ArrayLike], y: Sequence[ArrayLike], *, resamples: int = 2_000, seed: int = 0
) -> Estimate:
    """Mean over tasks of P(x > y) + P(x = y)/2, with a stratified bootstrap interval."""
    pairs = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(x, y, strict=True)
    ]
    generator = np.random.default_rng(seed)

    def draw() -> float:
        return float(
            np.mean(
                [
                    _improvement(generator.choice(a, len(a)), generator.choice(b, len(b)))
                    for a, b in pairs
                ]
            )
        )

    low, high = np.percentile([draw() for _ in range(resamples)], [2.5, 97.5])
    value = float(np.mean([_improvement(a, b) for a, b in pairs]))
    name = f"95 % stratified bootstrap, percentile, {resamples:,} resamples"
    return Estimate(value, float(low), float(high), "probability of improvement", name)


def _improvement(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    difference = a[:, None] - b
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def wilson(successes: int, trials: int) -> Estimate:
    """Success rate with its 95 % Wilson score interval (Wilson 1927); 0 to 1 without trials."""
    name = "95 % Wilson score"
    if not trials:
        return Estimate(math.nan, 0.0, 1.0, "proportion", name)
    share, square = successes / trials, Z95**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    spread = share * (1 - share) / trials + square / (4 * trials**2)
    half = Z95 / (1 + square / trials) * math.sqrt(spread)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), "proportion", name)
