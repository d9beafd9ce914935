"""Rules on the machinery: configuration against reality, stalls, feature norms and reserves."""

from backend.rules.moment import Moment
from backend.rules.rule import Context, Rule, RuleAction, RuleState, Streak, number

GIBIBYTE = 2**30


class ConfiguredObserved(Rule):
    """What the run does is not what its configuration says."""

    name = "configured_observed"
    title = "Configured against observed"
    worst = RuleState.WARNING

    def __init__(self, context: Context, *, tolerance: float = 0.05, samples: int = 3) -> None:
        super().__init__(context)
        self.tolerance = tolerance
        configured = {
            "learner/updates_per_step": self.facts.updates_per_step,
            "learner/actor_learning_rate": self.facts.actor_learning_rate,
            "learner/critic_learning_rate": self.facts.critic_learning_rate,
        }
        # A rollback that lowers learning rates is what was configured, and so are the samples before it.
        rates = self.facts.rate_factors
        self._factors = {name: rates if name.endswith("_rate") else (1.0,) for name in configured}
        self._configured = {name: value for name, value in configured.items() if value is not None}
        self._streaks = {name: Streak(samples) for name in self._configured}
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        return None if self._configured else "the log does not hold the run's configuration"

    def judge(self, moment: Moment) -> RuleState:
        observed = {name: moment.sample[name] for name in self._configured if name in moment.sample}
        if not observed:
            return self._raw
        deviations = {name: self._deviation(name, value) for name, value in observed.items()}
        for name, deviation in deviations.items():
            self._streaks[name].push(deviation > self.tolerance, moment.step)
        worst = max(deviations, key=lambda name: deviations[name])
        self.value, self.threshold = observed[worst], self._configured[worst]
        self.evidence = {"metric": worst, "observed": observed, "configured": self._configured}
        off = any(streak.on for streak in self._streaks.values())
        self._raw = RuleState.WARNING if off else RuleState.OK
        return self._raw

    def _deviation(self, name: str, observed: float) -> float:
        wanted = [self._configured[name] * factor for factor in self._factors[name]]
        return min(abs(observed - value) / value for value in wanted)

    def reason(self) -> str:
        return (
            f"{self.evidence['metric']} is {number(self.value)}, "
            f"configured {number(self.threshold)}."
        )

    def missing(self) -> str:
        return "no learner sample with updates per step or learning rates yet"


class Stall(Rule):
    """No environment step for a minute outside reset and evaluation. Judged by the clock, so only live."""

    name = "stall"
    title = "Stall"
    action = RuleAction.RESTART

    def __init__(self, context: Context, *, seconds: float = 60.0) -> None:
        super().__init__(context)
        self.threshold = seconds
        self.seconds = seconds
        self._step = -1
        self._moved_at: float | None = None

    def observe_clock(self, step: int, now: float, busy: bool) -> None:
        """Told once a flush: the loop's step, the clock, and whether a reset or evaluation runs."""
        if busy or step != self._step or self._moved_at is None:
            self._step, self._moved_at = step, now
        self.value = now - self._moved_at

    @property
    def overdue(self) -> bool:
        return self.value is not None and self.value > self.seconds

    def judge(self, moment: Moment) -> RuleState:
        if self.value is None:
            return RuleState.NO_DATA
        return RuleState.CRITICAL if self.overdue else RuleState.OK

    def reason(self) -> str:
        return f"The last environment step was {number(round(self.value or 0.0, 1))} s ago."

    def missing(self) -> str:
        return "stored points do not tell a stall from a reset or an evaluation"


class FeatureNorm(Rule):
    """The encoder's features grew or shrank far from their norm when learning started."""

    name = "feature_norm"
    title = "Feature norm"
    worst = RuleState.WARNING

    def __init__(self, context: Context, *, factor: float = 5.0) -> None:
        super().__init__(context)
        self.factor = factor
        self._first: dict[str, float] = {}
        self._streak = Streak(needed=1)
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        return "the agent has no image encoder" if self.facts.has_encoder is False else None

    def judge(self, moment: Moment) -> RuleState:
        norms = {
            name: value
            for name in ("features/actor_norm", "features/critic_norm")
            if (value := moment.sample.get(name)) is not None and value > 0
        }
        if not norms or not self.returns.learning:
            return self._raw
        for name, value in norms.items():
            self._first.setdefault(name, value)
        worst = max(norms, key=lambda name: self._factor(name, norms[name]))
        self.value, self.threshold = norms[worst], self._first[worst] * self.factor
        self.evidence = {"metric": worst, "at_learning_start": self._first[worst]}
        outside = self._factor(worst, norms[worst]) > self.factor
        self._raw = RuleState.WARNING if self._streak.push(outside, moment.step) else RuleState.OK
        return self._raw

    def _factor(self, name: str, value: float) -> float:
        ratio = value / self._first[name]
        return max(ratio, 1 / ratio)

    def reason(self) -> str:
        return (
            f"{self.evidence['metric']} is {number(self.value)}; "
            f"at learning start {number(self.evidence['at_learning_start'])}."
        )

    def missing(self) -> str:
        return "feature norms were not logged"


class Reserve(Rule):
    """Disk or memory is about to run out: checkpoint and halt while that is still possible."""

    name = "reserve"
    title = "Reserve of disk and memory"
    worst = RuleState.WARNING
    action = RuleAction.HALT
    acts_on = RuleState.WARNING

    def __init__(
        self,
        context: Context,
        *,
        disk: float = 2 * GIBIBYTE,
        memory: float = 0.5 * GIBIBYTE,
        gpu: float = 0.25 * GIBIBYTE,
    ) -> None:
        super().__init__(context)
        self._floors = {
            "system/disk_free_bytes": disk,
            "system/ram_free_bytes": memory,
            "system/gpu_free_bytes": gpu,
        }
        self._streaks = {name: Streak() for name in self._floors}
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        free = {name: moment.sample[name] for name in self._floors if name in moment.sample}
        if not free:
            return self._raw
        for name, value in free.items():
            self._streaks[name].push(value < self._floors[name], moment.step)
        tightest = min(free, key=lambda name: free[name] / self._floors[name])
        self.value, self.threshold = free[tightest], self._floors[tightest]
        self.evidence = {"metric": tightest, "free": free}
        low = any(streak.on for streak in self._streaks.values())
        self._raw = RuleState.WARNING if low else RuleState.OK
        return self._raw

    def reason(self) -> str:
        return (
            f"{self.evidence['metric']} is {(self.value or 0) / GIBIBYTE:.2f} GiB, "
            f"reserve {(self.threshold or 0) / GIBIBYTE:.2f} GiB."
        )

    def missing(self) -> str:
        return "free disk and memory were not logged"
