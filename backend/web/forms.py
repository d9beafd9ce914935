"""The new-run form, made from RunConfig's JSON schema: groups, kinds of input, defaults beside values."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from backend.runs.presets import PRESETS

# What a person changes first stands first and open; the rest is a click away.
GROUPS = {
    "run": "Run",
    "task": "Task",
    "observation": "Observation",
    "reward": "Reward",
    "networks": "Networks",
    "learner": "Learner",
    "exploration": "Exploration",
    "evaluation": "Evaluation",
    "checkpoints": "Checkpoints",
    "verdict": "Verdict",
}
OPEN_GROUPS = ("run",)


@dataclass(frozen=True)
class FormField:
    """One input: what the schema says of it, the value shown, and what is wrong with it."""

    name: str
    kind: str
    description: str
    value: str
    default: str
    sb3: str | None
    options: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    error: str | None = None

    @property
    def changed(self) -> bool:
        return self.value != self.default

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


@cache
def schema() -> dict[str, Any]:
    return RunConfig.model_json_schema()


@cache
def preset_config(preset: str) -> dict[str, Any]:
    """Every field of the preset; of the quickstart where there is no such preset."""
    return parse_config(preset if preset in PRESETS else "quickstart").model_dump(mode="json")


@cache
def preset_values(preset: str) -> dict[str, str]:
    """The same as the text a form shows."""
    return {name: text(value) for name, value in preset_config(preset).items()}


def text(value: Any) -> str:
    """A value as an input shows it; what `overrides` reads back as the same value."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def groups(
    preset: str, values: Mapping[str, str], problems: Mapping[str, str]
) -> list[tuple[str, str, list[FormField], bool]]:
    """(id, title, fields, open) of each group, in the form's order."""
    return groups_beside(preset_values(preset), values, problems)


def groups_beside(
    defaults: Mapping[str, str],
    values: Mapping[str, str],
    problems: Mapping[str, str],
    skip: Callable[[str], bool] = lambda name: False,
) -> list[tuple[str, str, list[FormField], bool]]:
    """The same beside other values than a preset's, without the fields to skip and empty groups."""
    found: dict[str, list[FormField]] = {group: [] for group in GROUPS}
    for name, spec in schema()["properties"].items():
        if skip(name):
            continue
        value = values.get(name, defaults[name])
        found[spec["group"]].append(
            _field(name, spec, value, defaults[name], _problem_of(name, problems))
        )
    return [
        (group, title, found[group], group in OPEN_GROUPS or _needs_eyes(found[group]))
        for group, title in GROUPS.items()
        if found[group]
    ]


def _problem_of(name: str, problems: Mapping[str, str]) -> str | None:
    """A list's problem is named `field.0`: it belongs to the field's one input."""
    found = [text for key, text in problems.items() if key.split(".")[0] == name]
    return "; ".join(found) or None


def _needs_eyes(fields: list[FormField]) -> bool:
    return any(field.error or field.changed for field in fields)


def _field(
    name: str, spec: Mapping[str, Any], value: str, default: str, error: str | None
) -> FormField:
    bounds = {
        "minimum": spec.get("minimum", spec.get("exclusiveMinimum")),
        "maximum": spec.get("maximum", spec.get("exclusiveMaximum")),
    }
    return FormField(
        name=name,
        kind=_kind(spec),
        description=spec.get("description", ""),
        value=value,
        default=default,
        sb3=text(spec["sb3"]) if "sb3" in spec else None,
        options=tuple(text(option) for option in spec.get("enum", ())),
        error=error,
        **{key: None if bound is None else text(bound) for key, bound in bounds.items()},
    )


def _kind(spec: Mapping[str, Any]) -> str:
    if "enum" in spec:
        return "choice"
    kinds = {"boolean": "switch", "integer": "whole", "number": "number", "array": "list"}
    return kinds.get(spec["type"], "text")


def overrides(preset: str, form: Mapping[str, str]) -> dict[str, Any]:
    """What the form changes of the preset; unknown keys pass through, to be refused by name."""
    return changes(preset_values(preset), form)


def changes(defaults: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
    """What the form changes of other values than a preset's."""
    return {
        name: _parsed(name, value.strip())
        for name, value in form.items()
        if value.strip() != defaults.get(name)
    }


def _parsed(name: str, value: str) -> Any:
    spec = schema()["properties"].get(name, {})
    if spec.get("type") == "array":
        return [part.strip() for part in value.split(",") if part.strip()]
    if spec.get("type") == "boolean":
        return value == "on"
    if "enum" in spec and all(isinstance(option, int) for option in spec["enum"]):
        return json.loads(value) if value.lstrip("-").isdigit() else value
    return value
