"""Rules on the actor: where its gradient goes, whether it vanished, whether the policy still reacts."""

import re
from collections.abc import Mapping
from statistics import median

import numpy as np

from backend.rules.moment import Moment, pairs
from backend.rules.rule import Context, Rule, RuleState, Streak, number, sign

# The last is that of logs which do not tell: head and encoder are from the same side there too.
SIDES = ("_before_clip", "_after_clip", "")
POLICY_MEAN = re.compile(r"actions/policy_.+_mean")
EXECUTED_MEAN = re.compile(r"actions/(?!policy_).+_mean")


class PolicyHeadShare(Rule):
    """Share of the actor's gradient that reaches the policy head; near 0 the policy cannot learn."""

    name = "policy_head_share"
    title = "Policy-head share of the gradient"
    warns_if_improved = True

    def __init__(self, context: Context, *, threshold: float = 0.01, samples: int = 3) -> None:
        super().__init__(context)
        self.limit = self.threshold = threshold
        self.streak = Streak(samples)
        self.sign = sign()
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        if self.facts.has_encoder is False:
            return "the actor has no image encoder, so its head gets the whole gradient"
        return None

    def judge(self, moment: Moment) -> RuleState:
        norms = _actor_norms(moment.sample)
        if norms is None:
            return self._raw
        head, encoder = norms
        total = float(np.hypot(head, encoder))
        self.value = head / total if total > 0 else 0.0
        low = self.value < self.limit
        self.evidence = {
            "head": head,
            "encoder": encoder,
            "kind": ("leak" if encoder > 0 else "vanished") if low else "",
        }
        self.sign.push(low, moment.step)
        self._raw = RuleState.CRITICAL if self.streak.push(low, moment.step) else RuleState.OK
        return self._raw

    def reason(self) -> str:
        head, encoder = self.evidence["head"], self.evidence["encoder"]
        if self.value is None or self.value >= self.limit:
            return f"The policy head gets {number(self.value)} of the actor's gradient."
        if encoder > 0:
            return (
                f"The policy head's gradient is {number(head)} while the encoder's is {number(encoder)}: "
                "the actor's loss leaks into its features and no longer trains the policy."
            )
        return "The gradient of policy head and encoder is 0: it vanished, the policy is frozen."

    def missing(self) -> str:
        return "gradient norms of the actor's head and encoder were not logged"


def _actor_norms(sample: Mapping[str, float]) -> tuple[float, float] | None:
    """(head, encoder) norms of the actor's gradient, both from the same side of the clip."""
    for side in SIDES:
        head = sample.get(f"gradients/actor_head_norm{side}")
        encoder = sample.get(f"gradients/actor_encoder_norm{side}")
        if head is not None and encoder is not None:
            return head, encoder
    return None


class VanishedGradient(Rule):
    """The actor's gradient is nothing beside what it was when learning began.

    A saturated tanh leaves about 1e-7, not 0, so the threshold is relative. It was seen on one run only.
    """

    name = "vanished_gradient"
    title = "Vanished actor gradient"
    warns_if_improved = True

    def __init__(
        self, context: Context, *, fraction: float = 1e-4, first: int = 10, samples: int = 3
    ) -> None:
        super().__init__(context)
        self.fraction, self.first_samples = fraction, first
        self.streak = Streak(samples)
        self._early: list[float] = []
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        if not self.facts.native:
            return "an imported log does not say on which side of the clip its gradients are"
        return None

    def judge(self, moment: Moment) -> RuleState:
        norm = moment.sample.get("gradients/actor_norm_before_clip")
        if norm is None:
            return self._raw
        if len(self._early) < self.first_samples:
            self._early.append(norm)
            return self._raw
        if self.threshold is None:
            self.threshold = self.fraction * median(self._early)
        self.value = norm
        self.evidence = {"early_median": median(self._early), "samples": len(self._early)}
        # An exact 0 is below any threshold, also below that of a run that began with 0.
        gone = norm < self.threshold or norm == 0
        self._raw = RuleState.CRITICAL if self.streak.push(gone, moment.step) else RuleState.OK
        return self._raw

    def reason(self) -> str:
        early = self.evidence["early_median"]
        return (
            f"The actor's gradient before the clip is {number(self.value)}; "
            f"when learning began its median was {number(early)}."
        )

    def missing(self) -> str:
        return f"{self.first_samples} learning samples of the actor's gradient ({len(self._early)} so far)"


class ConstantAction(Rule):
    """The policy answers the same saturated action whatever it sees."""

    name = "constant_action"
    title = "Constant action"
    warns_if_improved = True

    def __init__(
        self,
        context: Context,
        *,
        mean: float = 0.8,
        std: float = 0.1,
        executed_std: float = 0.3,
        samples: int = 3,
        steps: int = 2_000,
    ) -> None:
        super().__init__(context)
        self.mean, self.std, self.executed_std, self.steps = mean, std, executed_std, steps
        self.threshold = mean
        self.streak = Streak(samples)
        self.sign = sign()
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        dimensions = pairs(moment.sample, POLICY_MEAN if self.facts.native else EXECUTED_MEAN)
        if not dimensions:
            return self._raw
        self.value = min(abs(mean) for mean, _ in dimensions)
        widest = max(std for _, std in dimensions)
        self.evidence = {"smallest_mean": self.value, "largest_std": widest}
        narrow = widest < self.std if self.facts.native else widest <= self.executed_std
        constant = self.value > self.mean and narrow
        self.sign.push(constant, moment.step)
        on = self.streak.push(constant, moment.step)
        lasting = self.streak.held > 0 and moment.step - self.streak.since >= self.steps
        level = RuleState.CRITICAL if lasting else RuleState.WARNING
        self._raw = level if on else RuleState.OK
        return self._raw

    def reason(self) -> str:
        what = "policy's" if self.facts.native else "executed"
        return (
            f"Every dimension of the {what} action has |mean| >= {number(self.value)} and "
            f"std <= {number(self.evidence['largest_std'])} over states."
        )

    def missing(self) -> str:
        return "mean and std of the actions were not logged"
