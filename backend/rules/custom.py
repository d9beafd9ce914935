"""Rules of the user's own on any metric: threshold, ratio, trend and stagnation."""

from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from backend.rules.moment import Moment
from backend.rules.rule import Context, Rule, RuleAction, RuleState, RunFacts, Streak, number
from backend.rules.sliding import SlidingMaximum

Kind = Literal["threshold", "ratio", "trend", "stagnation"]
Direction = Literal["above", "below"]


@dataclass(frozen=True)
class CustomSpec:
    """One rule as its user wrote it. It alerts while what it measures is `direction` of `limit`.

    threshold: the metric itself. ratio: `metric` / `other`. trend: change in per cent of the mean over
    the last `window` values from the mean over the `window` before. stagnation: gain of the best value
    of the last `window` steps over the best of the `window` steps before; for a metric that should
    fall, `lower_is_better` turns its sign. `samples` in a row switch the light on, and off.
    """

    name: str
    kind: Kind
    metric: str
    limit: float
    direction: Direction = "above"
    other: str = ""
    window: int = 20
    samples: int = 3
    lower_is_better: bool = False
    level: RuleState = RuleState.WARNING
    action: RuleAction = RuleAction.NOTE
    title: str = ""


class Measure(Protocol):
    """Turns moments into the values a custom rule compares."""

    def push(self, moment: Moment) -> list[float]: ...


class _Value:
    def __init__(self, spec: CustomSpec) -> None:
        self.metric = spec.metric

    def push(self, moment: Moment) -> list[float]:
        return moment.values(self.metric)


class _Ratio:
    def __init__(self, spec: CustomSpec) -> None:
        self.metric, self.other = spec.metric, spec.other

    def push(self, moment: Moment) -> list[float]:
        above, below = moment.values(self.metric), moment.values(self.other)
        return [a / b for a, b in zip(above, below, strict=False) if b != 0]


class _Trend:
    def __init__(self, spec: CustomSpec) -> None:
        self.metric, self.window = spec.metric, spec.window
        self._values: deque[float] = deque(maxlen=2 * spec.window)

    def push(self, moment: Moment) -> list[float]:
        found = []
        for value in moment.values(self.metric):
            self._values.append(value)
            if len(self._values) == 2 * self.window:
                found.extend(self._change())
        return found

    def _change(self) -> list[float]:
        values = list(self._values)
        before, last = np.mean(values[: self.window]), np.mean(values[self.window :])
        return [float(100 * (last - before) / abs(before))] if before else []


class _Gain:
    def __init__(self, spec: CustomSpec) -> None:
        self.metric, self.window = spec.metric, spec.window
        self.sign = -1.0 if spec.lower_is_better else 1.0
        self._recent: deque[tuple[int, float]] = deque()
        self._last, self._before = SlidingMaximum(), SlidingMaximum()

    def push(self, moment: Moment) -> list[float]:
        values = moment.values(self.metric)
        for value in values:
            self._recent.append((moment.step, self.sign * value))
            self._last.push(*self._recent[-1])
        while self._recent and self._recent[0][0] <= moment.step - self.window:
            self._before.push(*self._recent.popleft())
        self._last.expire(moment.step - self.window)
        self._before.expire(moment.step - 2 * self.window)
        last, before = self._last.maximum, self._before.maximum
        early = moment.step < 2 * self.window or not values or last is None or before is None
        return [] if early or last is None or before is None else [last - before]


MEASURES: dict[Kind, type[_Value] | type[_Ratio] | type[_Trend] | type[_Gain]] = {
    "threshold": _Value,
    "ratio": _Ratio,
    "trend": _Trend,
    "stagnation": _Gain,
}


class CustomRule(Rule):
    """Compares one measure with one limit."""

    def __init__(self, context: Context, spec: CustomSpec) -> None:
        super().__init__(context)
        self.spec = spec
        self.name, self.title = spec.name, spec.title or spec.name
        self.action, self.acts_on, self.worst = spec.action, spec.level, spec.level
        self.threshold = spec.limit
        self._measure: Measure = MEASURES[spec.kind](spec)
        self._streak = Streak(spec.samples, spec.samples)
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        ceiling = clip_of(self.spec.metric, self.facts)
        too_high = self.spec.kind == "threshold" and self.spec.direction == "above"
        if too_high and ceiling is not None and self.spec.limit >= ceiling:
            return f"{self.spec.metric} is clipped at {number(ceiling)}, the threshold is {number(self.spec.limit)}"
        short = 0 < self.facts.total_steps < 2 * self.spec.window
        if self.spec.kind == "stagnation" and short:
            return (
                f"it compares two windows of {self.spec.window:,} steps and the run has "
                f"{self.facts.total_steps:,}"
            )
        return None

    def judge(self, moment: Moment) -> RuleState:
        for value in self._measure.push(moment):
            self.value = value
            on = self._streak.push(self._beyond(value), moment.step)
            self._raw = self.spec.level if on else RuleState.OK
        return self._raw

    def _beyond(self, value: float) -> bool:
        """What is no number is beyond any limit."""
        above = self.spec.direction == "above"
        within = value <= self.spec.limit if above else value >= self.spec.limit
        return not within

    def reason(self) -> str:
        return (
            f"{self.spec.kind} of {self.spec.metric} is {number(self.value)}; it alerts "
            f"{self.spec.direction} {number(self.spec.limit)}."
        )

    def missing(self) -> str:
        return f"{self.spec.metric} was not logged long enough"


def clip_of(metric: str, facts: RunFacts) -> float | None:
    """The value a clipped gradient norm cannot exceed, where the clip is known."""
    if not metric.startswith("gradients/") or not metric.endswith("norm_after_clip"):
        return None
    actor = metric.startswith("gradients/actor")
    return facts.actor_max_grad_norm if actor else facts.critic_max_grad_norm
