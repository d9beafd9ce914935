"""Rules on values: over-estimation, Q beyond what rewards allow, and numbers that are not finite."""

from collections.abc import Mapping

import numpy as np

from backend.rules.moment import EVALUATION_EPISODE, EVALUATION_MEAN, Moment
from backend.rules.rule import Context, Rule, RuleAction, RuleState, Streak, number, sign

WATCHED = ("learner/", "gradients/", "actions/", "features/")
RETURNS = ("episode/return", EVALUATION_MEAN, EVALUATION_EPISODE)


def actor_q(sample: Mapping[str, float]) -> float | None:
    """Q1(s, pi(s)): logged as such, else the actor's loss with its sign turned."""
    value = sample.get("learner/actor_q_mean")
    if value is not None:
        return value
    loss = sample.get("learner/actor_loss")
    return None if loss is None else -loss


class OverEstimation(Rule):
    """The critic values the policy's actions far above the actions that were really taken."""

    name = "over_estimation"
    title = "Over-estimation"
    warns_if_improved = True

    def __init__(
        self, context: Context, *, warning: float = 1.5, critical: float = 2.0, samples: int = 3
    ) -> None:
        super().__init__(context)
        self.warning, self.critical = warning, critical
        self.threshold = critical
        self.high, self.extreme = Streak(samples), Streak(samples)
        self.sign = sign()
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        gap = _relative_gap(moment.sample)
        if gap is None:
            return self._raw
        self.value = gap
        self.evidence = {
            "actor_q": actor_q(moment.sample),
            "replay_q": moment.sample["learner/q1_mean"],
            "replay_q_std": moment.sample.get("learner/q1_std"),
        }
        self.sign.push(gap > self.critical, moment.step)
        high = self.high.push(gap > self.warning, moment.step)
        extreme = self.extreme.push(gap > self.critical, moment.step)
        self._raw = RuleState.CRITICAL if extreme else RuleState.WARNING if high else RuleState.OK
        return self._raw

    def reason(self) -> str:
        return (
            f"Actor-Q is {number(self.evidence['actor_q'])} and replay-Q "
            f"{number(self.evidence['replay_q'])}: {number(self.value)} spreads apart."
        )

    def missing(self) -> str:
        return "actor-Q and replay-Q were not logged together"


def _relative_gap(sample: Mapping[str, float]) -> float | None:
    """(actor-Q - replay-Q) / max(std of replay-Q, 0.25 |replay-Q|); by |replay-Q| without a logged std."""
    policy, replay = actor_q(sample), sample.get("learner/q1_mean")
    if policy is None or replay is None:
        return None
    std = sample.get("learner/q1_std")
    scale = abs(replay) if std is None else max(std, 0.25 * abs(replay))
    return (policy - replay) / scale if scale > 0 and np.isfinite(policy) else None


class ImpossibleQ(Rule):
    """A value larger than any sequence of the rewards seen could return."""

    name = "impossible_q"
    title = "Impossible Q"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.streak = Streak(needed=1)
        self.largest_reward = 0.0
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        if self.facts.gamma is None:
            return "the log does not tell the discount"
        if self.facts.gamma >= 1:
            return "without a discount (gamma 1) no value is impossible"
        return None

    def judge(self, moment: Moment) -> RuleState:
        sample, gamma = moment.sample, self.facts.gamma
        for metric in ("learner/reward_min", "learner/reward_max"):
            if np.isfinite(reward := sample.get(metric, 0.0)):
                scaled = abs(reward) * self.facts.reward_scale
                self.largest_reward = max(self.largest_reward, scaled)
        values = [abs(q) for q in (sample.get("learner/q1_mean"), actor_q(sample)) if q is not None]
        if not values or self.largest_reward == 0 or gamma is None:
            return self._raw
        self.value, self.threshold = max(values), self.largest_reward / (1 - gamma)
        self.evidence = {"largest_reward": self.largest_reward, "gamma": gamma}
        self._raw = (
            RuleState.CRITICAL
            if self.streak.push(self.value > self.threshold, moment.step)
            else RuleState.OK
        )
        return self._raw

    def reason(self) -> str:
        return (
            f"The largest |Q| is {number(self.value)}; rewards as learnt, up to {number(self.largest_reward)}, "
            f"allow at most {number(self.threshold)}."
        )

    def missing(self) -> str:
        return "Q values and replayed rewards were not logged"


class NonFinite(Rule):
    """A loss, value, gradient, action or return that is no finite number. Stays: training cannot mend it."""

    name = "non_finite"
    title = "Non-finite number"
    action = RuleAction.HALT

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        watched = [(name, v) for name, v in moment.sample.items() if name.startswith(WATCHED)]
        watched += [(name, value) for name in RETURNS for value in moment.values(name)]
        if not watched or self._raw is RuleState.CRITICAL:
            return self._raw
        broken = sorted({name for name, value in watched if not np.isfinite(value)})
        self.value, self.threshold = float(len(broken)), 0.0
        self.evidence = {"metrics": broken}
        self._raw = RuleState.CRITICAL if broken else RuleState.OK
        return self._raw

    def reason(self) -> str:
        if self.evidence["metrics"]:
            return f"Not finite: {', '.join(self.evidence['metrics'])}."
        return "Losses, values, gradients, actions and returns are finite."

    def missing(self) -> str:
        return "no learner sample and no return yet"
