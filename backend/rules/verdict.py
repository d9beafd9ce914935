"""The verdict on a run: all its rules advanced together, and one sentence that says what they add up to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.rules.moment import Moment
from backend.rules.presets import RulePreset
from backend.rules.rule import Flip, Rule, RuleResult, RuleState, RunFacts, number

SUCCESS = "evaluation/success_rate"
VERDICT = "verdict"  # what its flips are filed under, beside those of rules


class Verdict(StrEnum):
    """Whether training should go on, as far as the rules can tell."""

    TOO_EARLY = "too-early"
    GO = "go"
    CONDITIONAL_GO = "conditional-go"
    NO_GO = "no-go"

    @property
    def words(self) -> str:
        return {"too-early": "TOO EARLY", "conditional-go": "CONDITIONAL GO"}.get(
            self.value, self.value.upper()
        )


@dataclass(frozen=True)
class Turn:
    """The verdict from one step on, with the rules that were alerting then."""

    step: int
    verdict: Verdict
    rules: tuple[str, ...]


class Judge:
    """Every rule of one run and the verdict they give, moment by moment.

    The same object serves the live run, its warm start after a resume, and the replay offline.
    """

    def __init__(self, preset: RulePreset, facts: RunFacts) -> None:
        self.preset, self.facts = preset, facts
        self.returns, self.rules = preset.rules(facts)
        self.verdict = Verdict.TOO_EARLY
        self.since_step = 0
        self.step = 0
        self.history: list[Turn] = []
        self._success_rates: list[float] = []  # of evaluations of what was learnt

    def advance(self, moment: Moment) -> list[Flip]:
        """Look at one moment; the flips of rules, then that of the verdict."""
        self.step = max(self.step, moment.step)
        self.returns.advance(moment)
        rate = moment.sample.get(SUCCESS)
        if rate is not None and moment.step > (self.facts.learning_starts or 0):
            self._success_rates.append(rate)
        flips = [flip for rule in self.rules if (flip := rule.advance(moment))]
        if not flips and self.history and self.verdict is not Verdict.TOO_EARLY:
            return []
        return [*flips, *self._turn(moment.step)]

    def _turn(self, step: int) -> Iterable[Flip]:
        verdict = self._decide()
        alerting = tuple(rule.name for rule in self.rules if rule.state.alerts)
        if self.history and (verdict, alerting) == (self.verdict, self.history[-1].rules):
            return
        self.history.append(Turn(step, verdict, alerting))
        if verdict is self.verdict:
            return
        before, self.verdict, self.since_step = self.verdict, verdict, step
        yield Flip(VERDICT, before, verdict, step, None, None, self.sentence(step))

    def _decide(self) -> Verdict:
        states = {rule.state for rule in self.rules}
        if RuleState.CRITICAL in states:
            return Verdict.NO_GO
        if RuleState.WARNING in states:
            return Verdict.CONDITIONAL_GO
        return Verdict.TOO_EARLY if self.missing() else Verdict.GO

    def missing(self) -> str | None:
        """What a verdict waits for, or None when there is enough to say GO."""
        if not self.preset.needs_returns:
            return None
        if self.returns.missing:
            return self.returns.missing
        if not self._learner_seen():
            return "learner samples: no rule on the networks has data"
        return None

    def _learner_seen(self) -> bool:
        networks = {"policy_head_share", "vanished_gradient", "over_estimation", "constant_action"}
        return any(
            rule.state is not RuleState.NO_DATA for rule in self.rules if rule.name in networks
        )

    @property
    def alerting(self) -> Sequence[Rule]:
        """Rules at warning or critical: the critical ones first, then those that stand longest."""
        found = [rule for rule in self.rules if rule.state.alerts]
        return sorted(found, key=lambda r: (r.state is not RuleState.CRITICAL, r.since_step))

    def results(self) -> tuple[RuleResult, ...]:
        return tuple(rule.result() for rule in self.rules)

    def sentence(self, step: int) -> str:
        """The verdict in words: since when, in which phase, on what evidence, and how far the run is."""
        return f"{self._headline(step)} {self._evidence()} {self._progress(step)}"

    def _headline(self, step: int) -> str:
        starts = self.facts.learning_starts
        exploring = starts is not None and step <= starts
        phase = "exploration" if exploring else "learning"
        since = f" since step {self.since_step:,}" if self.verdict is not Verdict.TOO_EARLY else ""
        return f"{self.verdict.words}{since}, in {phase}:"

    def _evidence(self) -> str:
        if self.verdict is Verdict.TOO_EARLY:
            return f"waiting for {self.missing()}{self._stand_in()}."
        if self.verdict is Verdict.GO:
            return self._good_news()
        worst = [rule for rule in self.alerting if rule.state is self.alerting[0].state]
        told = " ".join(f"{rule.title}: {rule.explain()}" for rule in worst[:2])
        more = f" And {len(self.alerting) - 2} more." if len(self.alerting) > 2 else ""
        return f"{told}{more}"

    def _stand_in(self) -> str:
        """An evaluation against the reference, while too few learning episodes are in."""
        reference, evaluation = self.returns.reference, self.returns.evaluation
        if reference is None or evaluation is None:
            return ""
        return (
            f"; the last evaluation returned {number(evaluation)} against {reference.source} "
            f"{number(reference.mean)} ± {number(reference.std)}"
        )

    def _good_news(self) -> str:
        mean, reference = self.returns.mean, self.returns.reference
        if mean is None or reference is None:
            return "no rule of this preset fires."
        return (
            f"no rule fires; the last 10 learning episodes return {number(mean)} against "
            f"{reference.source} {number(reference.mean)} ± {number(reference.std)}.{self._but()}"
        )

    def _but(self) -> str:
        """Returns may rise long before the goal is reached once: then GO says that too."""
        rates = self._success_rates
        if not rates or any(rate > 0 for rate in rates):
            return ""
        return f" But no evaluation has reached the goal yet ({len(rates)} so far)."

    def _progress(self, step: int) -> str:
        steps = max(0, step - (self.facts.learning_starts or 0))
        total = self.facts.total_steps
        if not self.facts.planned:
            return f"{steps:,} learning steps{_log_end(step, total)}."
        share = 100 * step / max(1, total)
        percent = f"{share:.2g}" if share < 10 else f"{share:.0f}"
        return f"{steps:,} learning steps, {percent} % of {_short(total)} done."


def _log_end(step: int, total: int) -> str:
    if not total:
        return " so far"
    return f"; the log {'goes on to' if step < total else 'ends at'} step {total:,}"


def _short(steps: int) -> str:
    for unit, letter in ((1_000_000, "M"), (1_000, "K")):
        if steps >= unit and steps % (unit // 10) == 0:
            return f"{steps / unit:g}{letter}"
    return f"{steps:,}"
