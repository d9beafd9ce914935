"""What a run tells at one step, and the timeline that assembles it from flushes of points."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Point = tuple[str, int, int, float, float]  # metric, step, episode, time, value

EVALUATION_MEAN = "evaluation/return_mean"
EVALUATION_EPISODE = "evaluation/episode_return"
RANDOM_EPISODE = "evaluation/random_return"
UNREAD = ("progress/", "reward/")  # logged at every decision and read by no preset


@dataclass(frozen=True)
class Episode:
    """One finished episode: decisions in (start, end], values by catalogue name without `episode/`."""

    number: int
    start: int
    end: int
    values: Mapping[str, float]

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: its mean return and, where kept, the return of every episode."""

    mean: float
    returns: tuple[float, ...] = ()


@dataclass(frozen=True)
class Moment:
    """Everything logged at one step; empty parts were not logged there."""

    step: int
    episodes: tuple[Episode, ...] = ()
    sample: Mapping[str, float] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    random_returns: tuple[float, ...] = ()

    def values(self, metric: str) -> list[float]:
        """Every value of a metric at this step, in order."""
        if metric.startswith("episode/"):
            name = metric.removeprefix("episode/")
            return [episode.values[name] for episode in self.episodes if name in episode.values]
        if metric == EVALUATION_MEAN:
            return [self.evaluation.mean] if self.evaluation else []
        if metric == EVALUATION_EPISODE:
            return list(self.evaluation.returns) if self.evaluation else []
        return [self.sample[metric]] if metric in self.sample else []


class Timeline:
    """Collects points in any order and hands out whole steps in step order.

    A step is whole once a later one has begun, so a verdict does not depend on where flushes cut.
    `step` is the newest step seen. `watched` are metrics to keep though no preset reads them.
    """

    def __init__(self, watched: Collection[str] = ()) -> None:
        self._watched = frozenset(watched)
        self._waiting: dict[int, list[Point]] = {}
        self._last_end = 0
        self.step = 0

    def add(self, points: Iterable[Point]) -> None:
        for point in points:
            self.step = max(self.step, point[1])
            if point[0] in self._watched or not point[0].startswith(UNREAD):
                self._waiting.setdefault(point[1], []).append(point)

    def take(self, before: int | None = None) -> Iterator[Moment]:
        """Moments of steps below `before` and below the newest step seen; every one without `before`."""
        limit = self.step + 1 if before is None else max(before, self.step)
        for step in sorted(step for step in self._waiting if step < limit):
            yield self._assemble(step, self._waiting.pop(step))

    def _assemble(self, step: int, points: list[Point]) -> Moment:
        episodes: dict[int, dict[str, float]] = {}
        sample: dict[str, float] = {}
        means: list[float] = []
        returns: list[float] = []
        random_returns: list[float] = []
        for metric, _, episode, _, value in points:
            if metric.startswith("episode/"):
                episodes.setdefault(episode, {})[metric.removeprefix("episode/")] = value
            elif metric == EVALUATION_MEAN:
                means.append(value)
            elif metric == EVALUATION_EPISODE:
                returns.append(value)
            elif metric == RANDOM_EPISODE:
                random_returns.append(value)
            else:
                sample[metric] = value
        return Moment(
            step,
            tuple(self._episode(step, number, episodes[number]) for number in sorted(episodes)),
            sample,
            _evaluation(means, returns),
            tuple(random_returns),
        )

    def _episode(self, step: int, number: int, values: dict[str, float]) -> Episode:
        """Lengths accumulate; an episode logged without its length began where the last one ended."""
        length = values.get("length")
        known = length is not None and math.isfinite(length)
        start = step - int(length) if length is not None and known else self._last_end
        self._last_end = max(self._last_end, step)
        return Episode(number, start, step, values)


def _evaluation(means: list[float], returns: list[float]) -> Evaluation | None:
    if not means and not returns:
        return None
    mean = means[-1] if means else sum(returns) / len(returns)
    return Evaluation(mean, tuple(returns))


def pairs(sample: Mapping[str, float], pattern: re.Pattern[str]) -> list[tuple[float, float]]:
    """(mean, std) of every metric whose `..._mean` matches and whose `..._std` was logged too."""
    return [
        (value, sample[deviation])
        for metric, value in sample.items()
        if pattern.fullmatch(metric)
        and (deviation := metric.removesuffix("mean") + "std") in sample
    ]
