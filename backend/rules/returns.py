"""Returns of a run against its reference: exploration apart from learning, the episode astride in neither."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from backend.rules.moment import Episode, Moment

REFERENCE_EPISODES = 10
WINDOW = 10


@dataclass(frozen=True)
class Reference:
    """What the policy is measured against: mean and population std of `n` returns, and their source."""

    mean: float
    std: float
    n: int
    source: str

    @property
    def spread(self) -> float:
        """sigma* = max(sigma, 0.1 |mu|): a reference of equal returns still has a width."""
        return max(self.std, 0.1 * abs(self.mean))


@dataclass
class Returns:
    """Tracks the reference, `mean` of the last ten learning episodes, and the best mean so far.

    `new` holds the learning episodes of the present moment, so that rules see each exactly once.
    """

    learning_starts: int | None
    learning_episodes: int = 0
    mean: float | None = None
    best: float | None = None
    reference: Reference | None = None
    evaluation: float | None = None
    learning: bool = False
    new: list[Episode] = field(default_factory=list)
    explored: list[Episode] = field(default_factory=list)
    _window: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _random: list[float] = field(default_factory=list)

    def advance(self, moment: Moment) -> None:
        self.new = []
        self._random.extend(value for value in moment.random_returns if np.isfinite(value))
        if self.learning_starts is None:
            return
        self.learning = self.learning or moment.step > self.learning_starts
        for episode in moment.episodes:
            self._take(episode, self.learning_starts)
        if self.learning and self.reference is None:
            self.reference = self._reference()
        if moment.evaluation and self.learning and np.isfinite(moment.evaluation.mean):
            self.evaluation = moment.evaluation.mean

    def _take(self, episode: Episode, learning_starts: int) -> None:
        value = episode.values.get("return")
        if value is None or not np.isfinite(value):
            return
        if episode.end <= learning_starts:
            self.explored.append(episode)
        elif episode.start >= learning_starts:
            self.new.append(episode)
            self._learn(value)

    def _learn(self, value: float) -> None:
        self.learning_episodes += 1
        self._window.append(value)
        if len(self._window) == WINDOW:
            self.mean = float(np.mean(self._window))
            self.best = self.mean if self.best is None else max(self.best, self.mean)

    def _reference(self) -> Reference | None:
        explored = [episode.values["return"] for episode in self.explored]
        for values, source in ((explored, "exploration"), (self._random, "random policy")):
            if len(values) >= REFERENCE_EPISODES:
                mean, std = float(np.mean(values)), float(np.std(values))
                return Reference(mean, std, len(values), source)
        return None

    @property
    def improved(self) -> bool:
        """Whether the policy is clearly better than the reference.

        Until ten learning episodes are in, the last evaluation stands in for their mean.
        """
        mean = self.evaluation if self.mean is None else self.mean
        if self.reference is None or mean is None:
            return False
        return mean > self.reference.mean + self.reference.spread

    @property
    def missing(self) -> str | None:
        """What a judgement of the returns waits for, or None."""
        if self.learning_starts is None:
            return "the step at which learning starts is not known"
        if self.learning and self.reference is None:
            return (
                f"{REFERENCE_EPISODES} exploration or random-policy episodes as reference "
                f"({len(self.explored)} and {len(self._random)} logged)"
            )
        if self.learning_episodes < WINDOW:
            return f"{WINDOW} learning episodes ({self.learning_episodes} so far)"
        return None
