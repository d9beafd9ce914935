"""The founding preset: the rules of the document this product began with, kept as they were written."""

from collections import deque
from typing import Any

import numpy as np

from backend.rules.behavioural import Parameters
from backend.rules.moment import Moment
from backend.rules.rule import Context, Rule, RuleAction, RuleState, Streak, number
from backend.rules.sliding import SlidingMaximum


class Limit(Rule):
    """A value beyond a fixed limit is critical at once. `sense` is 1 for a ceiling, -1 for a floor.

    What is no number is beyond any limit.
    """

    metrics: tuple[str, ...]
    sense: int = 1

    def __init__(self, context: Context, limit: float) -> None:
        super().__init__(context)
        self.bound = self.threshold = limit
        self.extreme: float | None = None
        self._streak = Streak(needed=1)
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        worst = self.sense * np.inf
        values = [worst if np.isnan(value) else value for value in self._observed(moment)]
        if not values:
            return self._raw
        pick = max if self.sense > 0 else min
        self.value = pick(values)
        self.extreme = self.value if self.extreme is None else pick(self.extreme, self.value)
        self.evidence = {"extreme": self.extreme}
        beyond = self.sense * (self.value - self.bound) > 0
        self._raw = RuleState.CRITICAL if self._streak.push(beyond, moment.step) else RuleState.OK
        return self._raw

    def _observed(self, moment: Moment) -> list[float]:
        return [value for metric in self.metrics for value in moment.values(metric)]

    def reason(self) -> str:
        word = "highest" if self.sense > 0 else "lowest"
        extreme = self.extreme
        # Half of the way counts as near: a limit nobody approaches watches nothing.
        near = extreme is not None and self.sense * extreme > 0.5 * abs(self.bound)
        verdict = "" if near else ": never near"
        return (
            f"Now {number(self.value)}, {word} so far {number(extreme)}, "
            f"limit {number(self.bound)}{verdict}."
        )

    def missing(self) -> str:
        return f"{' and '.join(self.metrics)} not logged yet"


class TDError(Limit):
    """Abnormal TD error."""

    name = "td_error"
    title = "TD error"
    metrics = ("learner/td_error_q1", "learner/td_error_q2")

    def __init__(self, context: Context, *, threshold: float = 50.0) -> None:
        super().__init__(context, threshold)


class QValue(Limit):
    """Divergence of Q."""

    name = "q_value"
    title = "Q value"
    metrics = ("learner/q1_mean", "learner/q2_mean")

    def __init__(self, context: Context, *, threshold: float = 1_000.0) -> None:
        super().__init__(context, threshold)


class EpisodeReturn(Limit):
    """Catastrophic failure of an episode."""

    name = "episode_return"
    title = "Episode return"
    metrics = ("episode/return",)
    sense = -1

    def __init__(self, context: Context, *, threshold: float = -500.0) -> None:
        super().__init__(context, threshold)


class Stagnation(Rule):
    """Early stopping: the best return of the last 100K steps is below that of the 100K before."""

    name = "stagnation"
    title = "Stagnation"
    action = RuleAction.HALT
    acts_on = worst = RuleState.WARNING

    def __init__(self, context: Context, *, steps: int = 100_000, margin: float = 10.0) -> None:
        super().__init__(context)
        self.steps, self.margin = steps, margin
        self._recent: deque[tuple[int, float]] = deque()
        self._last, self._before = SlidingMaximum(), SlidingMaximum()
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        if 0 < self.facts.total_steps < 2 * self.steps:
            return (
                f"it compares two windows of {self.steps:,} steps and the run has "
                f"{self.facts.total_steps:,}"
            )
        return None

    def judge(self, moment: Moment) -> RuleState:
        for episode in moment.episodes:
            if "return" in episode.values:
                self._recent.append((moment.step, episode.values["return"]))
                self._last.push(*self._recent[-1])
        self._slide(moment.step)
        last, before = self._last.maximum, self._before.maximum
        if moment.step < 2 * self.steps or last is None or before is None:
            return self._raw
        self.value, self.threshold = last, before - self.margin
        self.evidence = {"last": last, "before": before}
        self._raw = RuleState.WARNING if last < before - self.margin else RuleState.OK
        return self._raw

    def _slide(self, now: int) -> None:
        while self._recent and self._recent[0][0] <= now - self.steps:
            self._before.push(*self._recent.popleft())
        self._last.expire(now - self.steps)
        self._before.expire(now - 2 * self.steps)

    def reason(self) -> str:
        return (
            f"Best return of the last {self.steps:,} steps {number(self.evidence['last'])}, "
            f"of those before {number(self.evidence['before'])}."
        )

    def missing(self) -> str:
        return f"{2 * self.steps:,} steps of returns"


class GradientGrowth(Rule):
    """Growth of the critic's gradient before the clip: what healthy TD3 does too, so never an alarm."""

    name = "gradient_growth"
    title = "Gradient growth before the clip"
    action = RuleAction.NOTE
    alarms = False

    def __init__(self, context: Context, *, samples: int = 10) -> None:
        super().__init__(context)
        self.samples = samples
        self._early: list[float] = []
        self._late: deque[float] = deque(maxlen=samples)

    def judge(self, moment: Moment) -> RuleState:
        norm = moment.sample.get("gradients/critic_norm_before_clip")
        if norm is not None and np.isfinite(norm):
            if len(self._early) < self.samples:
                self._early.append(norm)
            self._late.append(norm)
        if len(self._early) < self.samples or not sum(self._early):
            return RuleState.NO_DATA
        self.value = 100 * (sum(self._late) / sum(self._early) - 1)
        self.evidence = {"early": sum(self._early) / self.samples, "unit": "%"}
        return RuleState.OK

    def reason(self) -> str:
        return (
            f"{self.value or 0:+.0f} % against the first {self.samples} samples: a note, cannot fire, "
            "because Q growing from 0 does the same."
        )

    def missing(self) -> str:
        return f"{self.samples} samples of the critic's gradient before the clip"


def founding_rules(context: Context, parameters: Parameters) -> list[Rule]:
    """Every rule of the preset, in the order shown."""

    def given(rule: type[Rule]) -> dict[str, Any]:
        return dict(parameters.get(rule.name, {}))

    rules = (TDError, QValue, EpisodeReturn, Stagnation, GradientGrowth)
    return [rule(context, **given(rule)) for rule in rules]
