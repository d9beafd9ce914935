"""What a rule is: a small state machine that looks at a run's moments and says ok, warning or critical."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.rules.moment import Moment
from backend.rules.returns import Returns


class RuleState(StrEnum):
    """What a rule says now."""

    NO_DATA = "no-data"
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def alerts(self) -> bool:
        return self in (RuleState.WARNING, RuleState.CRITICAL)


class RuleAction(StrEnum):
    """What a rule asks of the trainer when it turns to the level that calls for it."""

    NOTE = "note"
    CHECKPOINT = "checkpoint"
    PAUSE = "pause"
    HALT = "halt"
    ROLLBACK = "rollback"
    RESTART = "restart"


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run besides its points; None where an imported log does not tell.

    `native` runs were trained by Pitwall: their learner samples are taken before the clip and their
    policy is measured on replayed states. `reward_scale` is the learner's factor on logged rewards.
    `rate_factors` are what rollbacks left of the learning rates, one after the other; 1 without any.
    Of a run that is not `planned` nobody said how long it should be: `total_steps` is where its log ends,
    0 while it is written.
    """

    learning_starts: int | None
    total_steps: int
    native: bool = True
    planned: bool = True
    has_encoder: bool | None = None
    gamma: float | None = None
    reward_scale: float = 1.0
    updates_per_step: float | None = None
    actor_learning_rate: float | None = None
    critic_learning_rate: float | None = None
    rate_factors: tuple[float, ...] = (1.0,)
    actor_max_grad_norm: float | None = None
    critic_max_grad_norm: float | None = None
    max_episode_ticks: int | None = None


@dataclass(frozen=True)
class RuleResult:
    """A rule's answer at one step, ready to be stored and shown."""

    name: str
    title: str
    state: RuleState
    value: float | None
    threshold: float | None
    since_step: int
    first_warning: int | None
    first_critical: int | None
    evidence: Mapping[str, Any]
    reason: str
    can_fire: bool
    action: RuleAction


@dataclass(frozen=True)
class Flip:
    """One change of a rule's state, or of the verdict (`rule` = "verdict")."""

    rule: str
    before: str
    after: str
    step: int
    value: float | None
    threshold: float | None
    reason: str


@dataclass
class Context:
    """What the rules of one run share: its facts and its returns, advanced before any rule looks."""

    facts: RunFacts
    returns: Returns


class Rule(ABC):
    """One rule of one run. Feed it moments in order; live and replayed runs go through the same code.

    A subclass answers `judge`, keeps `value`, `threshold` and `evidence` up to date, and words its
    reason. `worst` is the highest level it knows. `alarms` is False for a rule that only takes note. `warns_if_improved` marks the rules (i)
    of the behavioural preset: at most a warning while the policy is clearly better than the reference.
    `obstacle` says why the rule cannot fire here.
    """

    name: str
    title: str
    action: RuleAction = RuleAction.CHECKPOINT
    acts_on: RuleState = RuleState.CRITICAL
    worst: RuleState = RuleState.CRITICAL
    alarms: bool = True
    warns_if_improved: bool = False

    def __init__(self, context: Context) -> None:
        self.facts = context.facts
        self.returns = context.returns
        self.state = RuleState.NO_DATA
        self.since_step = 0
        self.first: dict[RuleState, int] = {}
        self.value: float | None = None
        self.threshold: float | None = None
        self.evidence: dict[str, Any] = {}

    def advance(self, moment: Moment) -> Flip | None:
        """Look at the next moment; the flip if the state changed."""
        state = RuleState.NO_DATA if self.obstacle() else self.judge(moment)
        if state is RuleState.CRITICAL and self.warns_if_improved and self.returns.improved:
            state = RuleState.WARNING
        if state is self.state:
            return None
        before, self.state, self.since_step = self.state, state, moment.step
        self.first.setdefault(state, moment.step)
        return Flip(
            self.name, before, state, moment.step, self.value, self.threshold, self.explain()
        )

    def result(self) -> RuleResult:
        return RuleResult(
            name=self.name,
            title=self.title,
            state=self.state,
            value=self.value,
            threshold=self.threshold,
            since_step=self.since_step,
            first_warning=self.first.get(RuleState.WARNING),
            first_critical=self.first.get(RuleState.CRITICAL),
            evidence=dict(self.evidence),
            reason=self.explain(),
            can_fire=self.can_fire,
            action=self.action,
        )

    def explain(self) -> str:
        """One sentence with the numbers; the obstacle or what is missing when there are none."""
        if obstacle := self.obstacle():
            return f"Cannot fire here: {obstacle}."
        if self.state is RuleState.NO_DATA:
            return f"No data: {self.missing()}."
        return self.reason()

    @property
    def can_fire(self) -> bool:
        """False where nothing this run can do would make the rule alert."""
        silent = self.state is RuleState.NO_DATA and not self.facts.native
        return self.alarms and self.obstacle() is None and not silent

    def obstacle(self) -> str | None:
        """Why this rule can never fire on this run, or None."""
        return None

    @abstractmethod
    def judge(self, moment: Moment) -> RuleState:
        """The state after `moment`; called once per moment, in order."""

    @abstractmethod
    def reason(self) -> str:
        """One sentence for the present state, which is not no-data."""

    @abstractmethod
    def missing(self) -> str:
        """What the rule waits for while it has no data."""


@dataclass
class Streak:
    """A light with hysteresis: on after `needed` samples in a row hold, off after `release` do not."""

    needed: int = 3
    release: int = 3
    on: bool = False
    held: int = field(default=0)
    since: int = field(default=0)
    _cleared: int = field(default=0)

    def push(self, holds: bool, step: int) -> bool:
        if holds:
            self.since = step if self.held == 0 else self.since
            self.held += 1
            self._cleared = 0
            self.on = self.on or self.held >= self.needed
        else:
            self.held = 0
            self._cleared += 1
            self.on = self.on and self._cleared < self.release
        return self.on


def sign() -> Streak:
    """What the corroborated rule counts: a condition that holds for the last two samples."""
    return Streak(needed=2, release=2)


def number(value: float | None) -> str:
    """A number as people read it: 1,300 or 0.0042."""
    if value is None:
        return "none"
    if not math.isfinite(value) or abs(value) >= 1e9:
        return f"{value:.3g}"
    if value == int(value) or abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:,.4g}"
