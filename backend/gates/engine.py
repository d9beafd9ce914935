"""The rules of one run at work: points in, a judgement out, at every flush of the recorder."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from backend.gates.facts import facts_of_config
from backend.gates.steps import StepGates, StepPassage
from backend.rules.gate import Outcome
from backend.rules.health import Stall
from backend.rules.moment import Moment, Point, Timeline
from backend.rules.presets import PRESETS, RulePreset
from backend.rules.rule import Flip, Rule, RuleAction, RuleResult, RuleState, RunFacts
from backend.rules.verdict import VERDICT, Judge, Verdict
from backend.runs.config import RunConfig


@dataclass(frozen=True)
class Request:
    """Something a rule asks of the trainer, once, when it turns, or a gate when it is reached."""

    action: RuleAction
    rule: str
    reason: str
    kind: str = "rule"


@dataclass(frozen=True)
class Judgement:
    """The verdict after a flush, with what changed and what is asked since the one before."""

    step: int
    verdict: Verdict
    since_step: int
    sentence: str
    rules: tuple[RuleResult, ...]
    flips: tuple[Flip, ...]
    requests: tuple[Request, ...]
    preset: str
    preset_version: int
    passages: tuple[StepPassage, ...] = ()

    @property
    def actions(self) -> frozenset[RuleAction]:
        """The actions asked for, without who asked."""
        return frozenset(request.action for request in self.requests)


class GateEngine:
    """Live rules of one attempt at a run.

    `warm_up` replays what the lineage stored before this attempt, so that verdicts go on where they
    were; `observe` takes the points of a flush; `evaluate` judges every step that is whole by now.
    Cost is bounded by the new points: nothing looks back at the run.
    """

    def __init__(
        self,
        facts: RunFacts,
        preset: RulePreset = PRESETS["behavioural"],
        halt_on: Collection[str] = (),
        rollback_on: Collection[str] = (),
        gates: StepGates | None = None,
    ) -> None:
        self.judge = Judge(preset, facts)
        self.gates = gates or StepGates(())
        self._override = {
            **dict.fromkeys(rollback_on, RuleAction.ROLLBACK),
            **dict.fromkeys(halt_on, RuleAction.HALT),
        }
        self._timeline = Timeline(preset.watched)
        self._rules: dict[str, Rule] = {rule.name: rule for rule in self.judge.rules}
        self._turned: list[Flip] = []
        self._due: list[Request] = []

    @classmethod
    def for_config(cls, config: RunConfig, preset: RulePreset | None = None) -> Self:
        """The engine a config asks for; `preset` where it names a saved one."""
        rules = preset or PRESETS[config.rules]
        return cls(facts_of_config(config), rules, config.halt_on, config.rollback_on)

    def warm_up(self, points: Iterable[Point]) -> None:
        """Judge stored points in silence: no flips to record again, no actions to ask again."""
        self._timeline.add(points)
        for moment in self._timeline.take():
            self.judge.advance(moment)

    def adopt(
        self, preset: RulePreset, points: Iterable[Point], before: Mapping[str, str] | None = None
    ) -> None:
        """Judge by other rules from now on, as if they had seen `points`, all that was observed so far.

        What they say otherwise than the rules before flips with the next `evaluate`, and asks for what
        it asks for; so does a rule that goes on alerting, where it is to do something else now.
        `before`: states by rule and of the verdict, where this engine did not judge itself.
        """
        standing = {} if before is not None else {n: self._asked(r) for n, r in self._rules.items()}
        before = self._states(self.judge) if before is None else before
        judge, timeline = Judge(preset, self.judge.facts), Timeline(preset.watched)
        timeline.add(points)
        for moment in timeline.take(timeline.step):
            judge.advance(moment)
        self.judge, self._timeline = judge, timeline
        self._rules = {rule.name: rule for rule in judge.rules}
        self._turned = list(self._differences(before))
        turned = {flip.rule for flip in self._turned}
        self._due = [
            Request(action, name, self._told(rule))
            for name, rule in self._rules.items()
            if name in standing and name not in turned
            if (action := self._asked(rule)) and action is not standing[name]
        ]

    def _told(self, rule: Rule) -> str:
        return f"Judged by {self.judge.preset.label} from now on. {rule.explain()}"

    @staticmethod
    def _states(judge: Judge) -> dict[str, str]:
        return {VERDICT: judge.verdict, **{rule.name: rule.state for rule in judge.rules}}

    def _differences(self, before: Mapping[str, str]) -> Iterator[Flip]:
        judge, label, silent = self.judge, self.judge.preset.label, RuleState.NO_DATA
        after = self._states(judge)
        for name in [*after, *(gone for gone in before if gone not in after)]:
            was, now = before.get(name, silent), after.get(name, silent)
            if was == now:
                continue
            rule, told = self._rules.get(name), f"It is none of the rules of {label}."
            if name == VERDICT:
                told = f"Judged by {label} from now on. {judge.sentence(judge.step)}"
            elif rule is not None:
                told = self._told(rule)
            value, threshold = (rule.value, rule.threshold) if rule else (None, None)
            yield Flip(name, was, now, judge.step, value, threshold, told)

    def observe(self, points: Sequence[Point]) -> None:
        self._timeline.add(points)
        self.gates.observe(points)

    def evaluate(
        self,
        step: int,
        *,
        now: float | None = None,
        busy: bool = False,
        final: bool = False,
    ) -> Judgement:
        """The judgement at `step`, the step the loop has reached.

        Points of a step are judged when the loop or a later point is past it, so that a flush that
        cuts a step in two changes nothing; `final` judges what is left. `now` and `busy` (a reset or
        an evaluation is running) feed the stall rule.
        """
        flips, self._turned = self._turned, []
        due, self._due = self._due, []
        flips.extend(self._advance(None if final else step))
        if now is not None:
            flips.extend(self._watch_clock(step, now, busy))
        reached = max(step, self._timeline.step)
        # The loop may be ahead of its points: a gate waits for those up to its step.
        seen = step if final else min(step, self._timeline.step)
        passed = self.gates.judge(seen, final, self.judge.facts, self.judge.returns.reference)
        return Judgement(
            step=reached,
            verdict=self.judge.verdict,
            since_step=self.judge.since_step,
            sentence=self.judge.sentence(reached),
            rules=tuple(self._with_action(result) for result in self.judge.results()),
            flips=tuple(flips),
            requests=(*due, *self._requests(flips), *self._stops(passed)),
            preset=self.judge.preset.name,
            preset_version=self.judge.preset.version,
            passages=tuple(passed),
        )

    def _with_action(self, result: RuleResult) -> RuleResult:
        """What the rule would really do on this run."""
        return replace(result, action=self._override.get(result.name, result.action))

    def _advance(self, before: int | None) -> Iterator[Flip]:
        for moment in self._timeline.take(before):
            yield from self.judge.advance(moment)

    def _watch_clock(self, step: int, now: float, busy: bool) -> Iterator[Flip]:
        stall = self._rules.get(Stall.name)
        if not isinstance(stall, Stall):
            return
        stall.observe_clock(step, now, busy)
        if stall.overdue or stall.state is RuleState.CRITICAL:
            yield from self.judge.advance(Moment(step))

    def _requests(self, flips: Iterable[Flip]) -> Iterator[Request]:
        for flip in flips:
            rule = self._rules.get(flip.rule)
            if rule is None:
                continue
            if action := self._asked(rule, RuleState(flip.after)):
                yield Request(action, rule.name, flip.reason)

    def _asked(self, rule: Rule, state: RuleState | None = None) -> RuleAction | None:
        """What a rule asks for when it turns to `state`, by default the one it is in."""
        state = state or rule.state
        if not state.alerts:
            return None
        if state in (rule.worst, RuleState.CRITICAL) and rule.name in self._override:
            return self._override[rule.name]
        return rule.action if state in (rule.acts_on, RuleState.CRITICAL) else None

    def _stops(self, passed: Iterable[StepPassage]) -> Iterator[Request]:
        for passage in passed:
            if passage.outcome is Outcome.HALT and self.gates.acts:
                yield Request(RuleAction.HALT, f"at {passage.at:,}", passage.reason, kind="gate")
