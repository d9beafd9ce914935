"""The presets by name, and the rules of a run built from one."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from backend.rules.alerts import RepeatedAlerts
from backend.rules.behavioural import Parameters, behavioural_rules
from backend.rules.custom import CustomRule, CustomSpec
from backend.rules.founding import founding_rules
from backend.rules.gate import Gate
from backend.rules.gates import FOUNDING, RELATIVE
from backend.rules.returns import Returns
from backend.rules.rule import Context, Rule, RuleAction, RunFacts


@dataclass(frozen=True)
class RulePreset:
    """A named set of rules. `version` changes whenever a rule or a default does; verdicts name it.

    `parameters` override defaults by rule name and `actions` what a rule does at its worst level;
    `custom` are the user's own rules beside the built-in ones. `needs_returns`: the verdict is too early until the returns of learning can be judged. `gates`
    are what a run must have reached by certain steps.
    """

    name: str
    version: int
    title: str
    build: Callable[[Context, Parameters], list[Rule]]
    needs_returns: bool
    gates: tuple[Gate, ...]
    parameters: Parameters = field(default_factory=dict)
    custom: tuple[CustomSpec, ...] = ()
    actions: Mapping[str, RuleAction] = field(default_factory=dict)

    def rules(self, facts: RunFacts) -> tuple[Returns, list[Rule]]:
        """Fresh rules of one run, and the returns they share."""
        context = Context(facts, Returns(facts.learning_starts))
        rules = self._assemble(context, self.parameters)
        for rule in rules:
            if rule.name in self.actions:
                rule.action, rule.acts_on = self.actions[rule.name], rule.worst
        return context.returns, rules

    @property
    def label(self) -> str:
        """What a run's configuration calls it: versions of a built-in one cannot be chosen."""
        return self.name if self.name in PRESETS else f"{self.name}@{self.version}"

    def built_in(self) -> list[Rule]:
        """The built-in rules as they are without parameters or actions of one's own, for a form to show."""
        context = Context(RunFacts(0, 1), Returns(0))
        return [rule for rule in self._assemble(context, {}) if not isinstance(rule, CustomRule)]

    def _assemble(self, context: Context, parameters: Parameters) -> list[Rule]:
        """The rules in the order they look: the last one at what all others say."""
        own = [CustomRule(context, spec) for spec in self.custom]
        rules = [*self.build(context, parameters), *own]
        given = parameters.get(RepeatedAlerts.name, {})
        return [*rules, RepeatedAlerts(context, rules, **given)]

    @property
    def watched(self) -> frozenset[str]:
        """Metrics that only the user's own rules read."""
        return frozenset(
            metric for spec in self.custom for metric in (spec.metric, spec.other) if metric
        )

    def defaults(self) -> dict[str, dict[str, object]]:
        """Every editable parameter with its default, by rule name."""
        return {rule.name: _defaults(type(rule)) for rule in self.built_in()}


PRESETS = {
    preset.name: preset
    for preset in (
        RulePreset("behavioural", 2, "Behavioural", behavioural_rules, True, RELATIVE),
        RulePreset("founding", 2, "Founding document", founding_rules, False, FOUNDING),
    )
}


def _defaults(rule: type[Rule]) -> dict[str, object]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(rule).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def problems(preset: RulePreset) -> dict[str, str]:
    """What is wrong with a preset's parameters and own rules: the field, and the remedy."""
    known = preset.defaults()
    found = {}
    for rule, values in preset.parameters.items():
        if rule not in known:
            found[f"parameters.{rule}"] = (
                f"'{rule}' is no rule of {preset.name}: choose from {', '.join(known)}"
            )
            continue
        for name, value in values.items():
            if problem := _problem(rule, name, value, known[rule]):
                found[f"parameters.{rule}.{name}"] = problem
    for rule in preset.actions:
        if rule not in known:
            found[f"actions.{rule}"] = (
                f"'{rule}' is no rule of {preset.name}: choose from {', '.join(known)}"
            )
    return found | _own_problems(preset, known)


def _own_problems(preset: RulePreset, known: Collection[str]) -> dict[str, str]:
    found = {}
    names = [spec.name for spec in preset.custom]
    for spec in preset.custom:
        if names.count(spec.name) > 1:
            found[f"custom.{spec.name}"] = (
                f"'{spec.name}' names {names.count(spec.name)} rules: give each its own name"
            )
        if spec.name in known:
            found[f"custom.{spec.name}"] = f"'{spec.name}' is a built-in rule: give it another name"
        if spec.kind == "ratio" and not spec.other:
            found[f"custom.{spec.name}.other"] = "a ratio needs a second metric: name it in 'other'"
    return found


def _problem(rule: str, name: str, value: object, known: dict[str, object]) -> str | None:
    if name not in known:
        return f"'{name}' is no parameter of {rule}: choose from {', '.join(known) or 'none'}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} of {rule} is {value!r}: give a number"
    if not math.isfinite(value):
        return f"{name} of {rule} is {value!r}: give a finite number"
    if not isinstance(known[name], int):
        return None
    if not isinstance(value, int):
        return f"{name} of {rule} is {value!r}: give a whole number"
    return None if value >= 1 else f"{name} of {rule} is {value}: give 1 or more"
