"""The presets by name, and the rules of a run built from one."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from backend.rules.behavioural import Parameters, behavioural_rules
from backend.rules.founding import founding_rules
from backend.rules.returns import Returns
from backend.rules.rule import Context, Rule, RunFacts


@dataclass(frozen=True)
class RulePreset:
    """A named set of rules. `version` changes whenever a rule or a default does; verdicts name it.

    `needs_returns`: the verdict is too early until the returns of learning can be judged.
    """

    name: str
    version: int
    title: str
    build: Callable[[Context, Parameters], list[Rule]]
    needs_returns: bool


PRESETS = {
    preset.name: preset
    for preset in (
        RulePreset("behavioural", 1, "Behavioural", behavioural_rules, needs_returns=True),
        RulePreset("founding", 1, "Founding document", founding_rules, needs_returns=False),
    )
}


def build_rules(
    preset: RulePreset, facts: RunFacts, parameters: Parameters | None = None
) -> tuple[Returns, list[Rule]]:
    """Fresh rules of one run and the returns they share.

    Raises:
        ValueError: a parameter names no rule of the preset or no parameter of its rule.
    """
    context = Context(facts, Returns(facts.learning_starts))
    problems = parameter_problems(preset, parameters or {})
    if problems:
        raise ValueError("; ".join(problems))
    return context.returns, preset.build(context, parameters or {})


def rule_parameters(preset: RulePreset) -> dict[str, dict[str, object]]:
    """Every editable parameter with its default, by rule name."""
    context = Context(RunFacts(0, 1), Returns(0))
    return {rule.name: _defaults(type(rule)) for rule in preset.build(context, {})}


def _defaults(rule: type[Rule]) -> dict[str, object]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(rule).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def parameter_problems(preset: RulePreset, parameters: Parameters) -> list[str]:
    """What is wrong with edited parameters, each with the remedy."""
    known = rule_parameters(preset)
    found = []
    for rule, values in parameters.items():
        if rule not in known:
            found.append(f"'{rule}' is no rule of {preset.name}: choose from {', '.join(known)}")
            continue
        found.extend(
            f"'{name}' is no parameter of {rule}: choose from {', '.join(known[rule]) or 'none'}"
            for name in values
            if name not in known[rule]
        )
    return found
