"""The behavioural preset: rules on what the policy does, not on how large its numbers are."""

from collections.abc import Mapping
from typing import Any, TypeVar

from backend.rules.episodes import Checksum, Dominance, OneTermination, ZeroSpeed
from backend.rules.evaluations import IdenticalEvaluation, PostEvaluation
from backend.rules.health import ConfiguredObserved, FeatureNorm, Reserve, Stall
from backend.rules.moment import Moment
from backend.rules.policy import ConstantAction, PolicyHeadShare, VanishedGradient
from backend.rules.rule import Context, Rule, RuleState, Streak
from backend.rules.transition import Collapse, Transition
from backend.rules.values import ImpossibleQ, NonFinite, OverEstimation

R = TypeVar("R", bound=Rule)
Parameters = Mapping[str, Mapping[str, Any]]


class Corroborated(Rule):
    """Returns dropped and at least two signs in the network say why: no need to wait any longer."""

    name = "corroborated"
    title = "Drop corroborated by the networks"
    warns_if_improved = True
    lit = False

    def __init__(
        self,
        context: Context,
        transition: Transition,
        signs: Mapping[str, Streak],
        *,
        needed: int = 2,
    ) -> None:
        super().__init__(context)
        self.transition, self.signs, self.needed = transition, signs, needed
        self.threshold = float(needed)

    def judge(self, moment: Moment) -> RuleState:
        if self.transition.state is RuleState.NO_DATA:
            return RuleState.NO_DATA
        present = [name for name, sign in self.signs.items() if sign.held >= sign.needed]
        lingering = [name for name, sign in self.signs.items() if sign.on]
        self.value = float(len(present))
        self.evidence = {"transition": self.transition.on, "signs": present}
        # Lit by signs that hold now, kept by lights that have not gone out yet: that is its hysteresis.
        counted = lingering if self.lit else present
        self.lit = self.transition.on and len(counted) >= self.needed
        return RuleState.CRITICAL if self.lit else RuleState.OK

    def reason(self) -> str:
        drop = "Returns dropped" if self.transition.on else "Returns did not drop"
        signs = ", ".join(self.evidence["signs"]) or "none"
        return f"{drop}; signs in the networks: {signs}."

    def missing(self) -> str:
        return self.transition.missing()


def behavioural_rules(context: Context, parameters: Parameters) -> list[Rule]:
    """Every rule of the preset, in the order shown."""

    def make(rule: type[R]) -> R:
        return rule(context, **parameters.get(rule.name, {}))

    transition, share = make(Transition), make(PolicyHeadShare)
    gap, constant = make(OverEstimation), make(ConstantAction)
    signs = {
        "policy head": share.sign,
        "over-estimation": gap.sign,
        "constant action": constant.sign,
    }
    corroborated = Corroborated(context, transition, signs, **parameters.get(Corroborated.name, {}))
    others = (
        Collapse,
        IdenticalEvaluation,
        PostEvaluation,
        OneTermination,
        ImpossibleQ,
        Checksum,
        Dominance,
        ZeroSpeed,
        ConfiguredObserved,
        NonFinite,
        Stall,
        FeatureNorm,
        Reserve,
    )
    return [
        transition,
        share,
        make(VanishedGradient),
        gap,
        constant,
        corroborated,
        *(make(rule) for rule in others),
    ]
