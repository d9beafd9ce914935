"""Gates: what a run must have reached by a step, and what happens when it has not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.rules.returns import Reference
from backend.rules.rule import RunFacts, number


class Outcome(StrEnum):
    """What a gate says, from best to worst; `pending` until its step is reached."""

    PENDING = "pending"
    PASS = "pass"
    EXTEND = "extend"
    CONDITIONAL = "conditional"
    HALT = "halt"


WORSE = list(Outcome)


class Points(Protocol):
    """Points of one metric: equally long arrays, steps not decreasing."""

    @property
    def step(self) -> NDArray[np.int64]: ...

    @property
    def value(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Standing:
    """What a gate at step `at` looks at: a run's series, facts and reference, and another run's series.

    A measure compares the last quarter of the way, (3/4 at, at], with the quarter that ended half way.
    """

    at: int
    series: Mapping[str, Points]
    facts: RunFacts
    reference: Reference | None = None
    other: Mapping[str, Points] | None = None

    def present(self, metric: str) -> NDArray[np.float64]:
        return _between(self.series, metric, 3 * self.at // 4, self.at)

    def earlier(self, metric: str) -> NDArray[np.float64]:
        return _between(self.series, metric, self.at // 4, self.at // 2)

    def others(self, metric: str) -> NDArray[np.float64]:
        return _between(self.other or {}, metric, 3 * self.at // 4, self.at)


def _between(
    series: Mapping[str, Points], metric: str, after: int, until: int
) -> NDArray[np.float64]:
    """Finite values with after < step <= until."""
    if metric not in series:
        return np.empty(0)
    points = series[metric]
    kept = points.value[(points.step > after) & (points.step <= until)]
    finite: NDArray[np.float64] = kept[np.isfinite(kept)]
    return finite


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _change(present: float | None, before: float | None) -> float | None:
    """Change in per cent of the size of what was before."""
    if present is None or before is None or before == 0:
        return None
    return 100 * (present - before) / abs(before)


RETURN, LENGTH, Q = "episode/return", "episode/length", "learner/q1_mean"


def return_gain(standing: Standing) -> float | None:
    return _change(_mean(standing.present(RETURN)), _mean(standing.earlier(RETURN)))


def q_spread_change(standing: Standing) -> float | None:
    present, earlier = standing.present(Q), standing.earlier(Q)
    if len(present) < 2 or len(earlier) < 2:
        return None
    return _change(float(present.std()), float(earlier.std()))


def q_drift(standing: Standing) -> float | None:
    return _change(_mean(standing.present(Q)), _mean(standing.earlier(Q)))


def success_percent(standing: Standing) -> float | None:
    rates = standing.present("evaluation/success_rate")
    return 100 * float(rates[-1]) if len(rates) else None


def return_against_other(standing: Standing) -> float | None:
    return _change(_mean(standing.present(RETURN)), _mean(standing.others(RETURN)))


def q_variance_against_other(standing: Standing) -> float | None:
    present, other = standing.present(Q), standing.others(Q)
    if len(present) < 2 or len(other) < 2:
        return None
    return _change(float(present.var()), float(other.var()))


def return_over_reference(standing: Standing) -> float | None:
    """How many sigma* the mean return stands above the reference."""
    mean, reference = _mean(standing.present(RETURN)), standing.reference
    if mean is None or reference is None or reference.spread == 0:
        return None
    return (mean - reference.mean) / reference.spread


def q_over_return(standing: Standing) -> float | None:
    """Replay-Q over the discounted return of the recorded episodes.

    An episode of L decisions and return R is taken as R/L each; the mean over its states of what was
    still to come is then R/L (1 - g (1 - g^L) / (L (1 - g))) / (1 - g). What a truncated episode would
    have gone on to return is not in it, so the ratio reads
    higher where episodes are truncated.
    """
    q, returns = _mean(standing.present(Q)), standing.present(RETURN)
    lengths, gamma = standing.present(LENGTH), standing.facts.gamma
    if q is None or gamma is None or gamma >= 1 or not len(returns) or len(returns) != len(lengths):
        return None
    horizon = (1 - gamma * (1 - gamma**lengths) / (lengths * (1 - gamma))) / (1 - gamma)
    expected = float(np.average(returns / lengths * horizon, weights=lengths))
    expected *= standing.facts.reward_scale
    return q / expected if expected else None


def td_over_spread(standing: Standing) -> float | None:
    error = _mean(standing.present("learner/td_error_q1"))
    spread = _mean(standing.present("learner/target_q_std"))
    return error / spread if error is not None and spread else None


@dataclass(frozen=True)
class Mean:
    """The mean of one metric over the last quarter of the way."""

    metric: str

    def __call__(self, standing: Standing) -> float | None:
        return _mean(standing.present(self.metric))


MEASURES: dict[str, Callable[[Standing], float | None]] = {
    "return_gain": return_gain,
    "q_spread_change": q_spread_change,
    "q_drift": q_drift,
    "success_percent": success_percent,
    "return_against_other": return_against_other,
    "q_variance_against_other": q_variance_against_other,
    "return_over_reference": return_over_reference,
    "q_over_return": q_over_return,
    "td_over_spread": td_over_spread,
}
MEASURED = (
    *(RETURN, LENGTH, Q),
    *("evaluation/success_rate", "learner/td_error_q1", "learner/target_q_std"),
)


@dataclass(frozen=True)
class Check:
    """One measure that passes in [low, high]; outside, `otherwise`, and beyond `stops` it halts."""

    name: str
    measure: Callable[[Standing], float | None]
    low: float = -np.inf
    high: float = np.inf
    otherwise: Outcome = Outcome.CONDITIONAL
    stops: tuple[float, float] = (-np.inf, np.inf)

    def outcome(self, value: float | None) -> Outcome:
        """Without a value the gate cannot be passed blindly: a person decides."""
        if value is None:
            return Outcome.CONDITIONAL
        if not self.stops[0] <= value <= self.stops[1]:
            return Outcome.HALT
        return Outcome.PASS if self.low <= value <= self.high else self.otherwise

    def reason(self, value: float | None) -> str:
        shown = "no data" if value is None else number(value)
        return f"{self.name}: {shown}, {self.wanted}"

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            return f"should be in [{number(self.low)}, {number(self.high)}]"
        if np.isfinite(self.low):
            return f"should be at least {number(self.low)}"
        if np.isfinite(self.high):
            return f"should be at most {number(self.high)}"
        halts = [number(stop) for stop in self.stops if np.isfinite(stop)]
        return f"halts beyond {' and '.join(halts)}" if halts else "for the record"


@dataclass(frozen=True)
class Gate:
    """The checks at one step; `extend_to` is where a gate that says so looks again."""

    at: int
    checks: tuple[Check, ...]
    extend_to: int | None = None

    @property
    def metrics(self) -> frozenset[str]:
        """Every metric the checks look at."""
        means = {check.measure.metric for check in self.checks if isinstance(check.measure, Mean)}
        return frozenset({*MEASURED, *means})

    def judge(self, standing: Standing, reached: int) -> "Passage":
        """The outcome for a run that has reached step `reached`."""
        if reached < self.at:
            return Passage(self.at, Outcome.PENDING, (), self.extend_to)
        told = []
        for check in self.checks:
            value = check.measure(standing)
            told.append(Finding(check.name, value, check.outcome(value), check.reason(value)))
        worst = max((finding.outcome for finding in told), key=WORSE.index, default=Outcome.PASS)
        return Passage(self.at, worst, tuple(told), self.extend_to)


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    value: float | None
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Passage:
    """A gate's answer for one run."""

    at: int
    outcome: Outcome
    findings: tuple[Finding, ...]
    extend_to: int | None

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "at": self.at,
            "outcome": self.outcome.value,
            "extend_to": self.extend_to if self.outcome is Outcome.EXTEND else None,
            "checks": [
                {
                    "check": finding.check,
                    "value": finding.value,
                    "outcome": finding.outcome.value,
                    "reason": finding.reason,
                }
                for finding in self.findings
            ],
        }
