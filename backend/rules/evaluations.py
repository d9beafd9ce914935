"""Rules on evaluations: two that are identical, and an environment that breaks after one."""

from collections import deque
from dataclasses import dataclass, field

from backend.rules.moment import Evaluation, Moment
from backend.rules.rule import Context, Rule, RuleState, number


class IdenticalEvaluation(Rule):
    """Two evaluations equal to the last bit with updates between them: what is evaluated does not learn."""

    name = "identical_evaluation"
    title = "Identical evaluations"
    warns_if_improved = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._last: tuple[int, Evaluation] | None = None
        self._updated = False
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        starts = self.facts.learning_starts
        self._updated = self._updated or "learner/critic_loss" in moment.sample
        if moment.evaluation is None or starts is None or moment.step <= starts:
            return self._raw
        if self._last is not None and self._updated:
            self._compare(self._last, moment.evaluation, moment.step)
        self._last, self._updated = (moment.step, moment.evaluation), False
        return self._raw

    def _compare(self, last: tuple[int, Evaluation], present: Evaluation, step: int) -> None:
        reference = self.returns.reference
        equal = last[1] == present
        poor = reference is not None and present.mean <= reference.mean + reference.std
        self.value = present.mean
        self.threshold = reference.mean + reference.std if reference else None
        self.evidence = {"steps": [last[0], step], "equal": equal, "episodes": len(present.returns)}
        if reference is not None:
            self._raw = RuleState.CRITICAL if equal and poor else RuleState.OK

    def reason(self) -> str:
        first, second = self.evidence["steps"]
        how = "equal to the last bit" if self.evidence["equal"] else "different"
        return (
            f"The evaluations at steps {number(first)} and {number(second)} are {how}; "
            f"mean return {number(self.value)}."
        )

    def missing(self) -> str:
        return "two evaluations after learning starts, with updates between them and a reference"


@dataclass
class _Watch:
    step: int
    before: float
    after: list[int] = field(default_factory=list)


class PostEvaluation(Rule):
    """Episodes are cut short after an evaluation: the evaluation damaged the training environment.

    Learning episodes only: the end of exploration shortens episodes for another reason.
    """

    name = "post_evaluation"
    title = "Episodes after an evaluation"

    def __init__(self, context: Context, *, episodes: int = 30, share: float = 0.5) -> None:
        super().__init__(context)
        self.episodes, self.share = episodes, share
        self.threshold = share
        self._lengths: deque[int] = deque(maxlen=episodes)
        self._watches: list[_Watch] = []
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        for episode in self.returns.new:
            self._lengths.append(episode.length)
            for watch in self._watches:
                watch.after.append(episode.length)
        while self._watches and len(self._watches[0].after) == self.episodes:
            self._settle(self._watches.pop(0))
        if moment.evaluation and len(self._lengths) == self.episodes:
            self._watches.append(_Watch(moment.step, sum(self._lengths) / self.episodes))
        return self._raw

    def _settle(self, watch: _Watch) -> None:
        after = sum(watch.after) / self.episodes
        self.value = after / watch.before
        self.evidence = {"evaluation": watch.step, "before": watch.before, "after": after}
        self._raw = RuleState.CRITICAL if self.value < self.share else RuleState.OK

    def reason(self) -> str:
        return (
            f"The {self.episodes} episodes after the evaluation at step "
            f"{number(self.evidence['evaluation'])} last {number(self.evidence['after'])} decisions, "
            f"the {self.episodes} before {number(self.evidence['before'])}."
        )

    def missing(self) -> str:
        return f"an evaluation with {self.episodes} learning episodes on either side"
