"""Rules on returns: the drop when learning starts, and the collapse of a policy that had learnt."""

from dataclasses import dataclass

from backend.rules.moment import Moment
from backend.rules.returns import Reference
from backend.rules.rule import Context, Rule, RuleState, number


@dataclass
class Spell:
    """A condition that holds without a break: since which step, over how many learning episodes."""

    since: int | None = None
    episodes: int = 0

    def push(self, holds: bool, step: int) -> None:
        if not holds:
            self.since, self.episodes = None, 0
        elif self.since is None:
            self.since, self.episodes = step, 0
        else:
            self.episodes += 1

    def lasts(self, steps: int, episodes: int, now: int) -> bool:
        return self.since is not None and now - self.since >= steps and self.episodes >= episodes


class Transition(Rule):
    """Learning made the returns clearly worse than the reference and they do not recover."""

    name = "transition"
    title = "Transition to learning"

    def __init__(self, context: Context, *, steps: int = 1_000, episodes: int = 20) -> None:
        super().__init__(context)
        self.steps, self.episodes = steps, episodes
        self.on = False
        self.lowest = 0.0
        self.spell = Spell()
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        mean, reference = self.returns.mean, self.returns.reference
        if mean is None or reference is None or not self.returns.new:
            return self._raw
        self._switch(mean, reference)
        self.spell.push(self.on, moment.step)
        self.lowest = min(self.lowest, mean) if self.spell.episodes else mean
        self.value, self.threshold = mean, self._threshold(reference)
        self.evidence = {
            "reference_mean": reference.mean,
            "reference_std": reference.std,
            "reference_episodes": reference.n,
            "reference_source": reference.source,
            "lowest": self.lowest,
        }
        self._raw = self._level(mean, reference, moment.step)
        return self._raw

    def _threshold(self, reference: Reference) -> float:
        if reference.mean > 0:
            return max(reference.mean - reference.spread, 0.5 * reference.mean)
        return reference.mean - reference.spread

    def _switch(self, mean: float, reference: Reference) -> None:
        halved = reference.mean > 0 and mean < 0.5 * reference.mean
        if mean < reference.mean - reference.spread or halved:
            self.on = True
        elif mean >= reference.mean - 0.5 * reference.spread:
            self.on = False

    def _level(self, mean: float, reference: Reference, step: int) -> RuleState:
        if not self.on:
            return RuleState.OK
        recovering = mean - self.lowest > (reference.mean - self.lowest) / 3
        if self.spell.lasts(self.steps, self.episodes, step) and not recovering:
            return RuleState.CRITICAL
        return RuleState.WARNING

    def reason(self) -> str:
        seen = self.evidence
        how = "far below" if self.on else "not below"
        return (
            f"The last 10 learning episodes return {number(self.value)} on average, {how} the "
            f"{seen['reference_source']} reference {number(seen['reference_mean'])} "
            f"± {number(seen['reference_std'])}."
        )

    def missing(self) -> str:
        return self.returns.missing or "10 learning episodes"


class Collapse(Rule):
    """A policy that had learnt loses three quarters of what it had gained."""

    name = "collapse"
    title = "Collapse of a learnt policy"

    def __init__(self, context: Context, *, steps: int = 1_000, episodes: int = 10) -> None:
        super().__init__(context)
        self.steps, self.episodes = steps, episodes
        self.on = False
        self.spell = Spell()
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        mean, best, reference = self.returns.mean, self.returns.best, self.returns.reference
        if mean is None or best is None or reference is None or not self.returns.new:
            return self._raw
        learnt = best > reference.mean + 3 * reference.spread
        gain = best - reference.mean
        collapsed = learnt and mean < reference.mean + 0.25 * gain
        self.on = collapsed or (self.on and mean < reference.mean + 0.35 * gain)
        self.spell.push(collapsed, moment.step)
        self.value = mean
        self.threshold = reference.mean + 0.25 * gain if learnt else None
        self.evidence = {"best": best, "reference_mean": reference.mean, "learnt": learnt}
        if self.spell.lasts(self.steps, self.episodes, moment.step):
            self._raw = RuleState.CRITICAL
        else:
            self._raw = RuleState.WARNING if self.on else RuleState.OK
        return self._raw

    def reason(self) -> str:
        best = self.evidence["best"]
        if not self.evidence["learnt"]:
            return f"Nothing learnt yet to lose: best mean return {number(best)}."
        lost = "lost" if self.state.alerts else "kept"
        return f"Best mean return was {number(best)}, now {number(self.value)}: {lost}."

    def missing(self) -> str:
        return self.returns.missing or "10 learning episodes"
