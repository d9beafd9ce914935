"""The threshold editor's form: a preset as inputs, and inputs as what a preset says; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.rules.presets import RulePreset

ACTIONS = ("note", "checkpoint", "pause", "halt", "rollback")
KINDS = ("threshold", "ratio", "trend", "stagnation")
NUMBERS = {"limit": float, "window": int, "samples": int}
SPARE = 1  # empty rows for rules to add
BLANK = {
    "name": "",
    "kind": "threshold",
    "metric": "",
    "direction": "above",
    "limit": "",
    "other": "",
    "window": "20",
    "samples": "3",
    "better": "higher",
    "title": "",
    "level": "warning",
    "action": "note",
}


@dataclass(frozen=True)
class Input:
    """One parameter: its name, the text in its box, and the default it is compared with."""

    name: str
    label: str
    value: str
    default: str

    @property
    def changed(self) -> bool:
        return self.value != self.default


@dataclass(frozen=True)
class RuleRow:
    """One built-in rule with its parameters and what it does at its worst."""

    rule: str
    title: str
    inputs: tuple[Input, ...]
    action: str
    default_action: str


@dataclass(frozen=True)
class EditorForm:
    """Everything in the form, as it was posted or as a preset has it."""

    base: str
    name: str = ""
    person: str = ""
    rules: tuple[RuleRow, ...] = ()
    custom: tuple[dict[str, str], ...] = ()
    problems: dict[str, str] = field(default_factory=dict)


def form_of(preset: RulePreset, base: RulePreset) -> EditorForm:
    """A preset as the form shows it; `base` gives the defaults."""
    values = {
        f"p.{rule}.{name}": _text(value)
        for rule, parameters in preset.parameters.items()
        for name, value in parameters.items()
    }
    values |= {f"a.{rule}": action.value for rule, action in preset.actions.items()}
    for number, spec in enumerate(preset.custom):
        for key in ("name", "kind", "metric", "limit", "direction", "other", "window", "samples"):
            values[f"c.{number}.{key}"] = _text(getattr(spec, key))
        values[f"c.{number}.title"] = spec.title
        values[f"c.{number}.better"] = "lower" if spec.lower_is_better else "higher"
        values[f"c.{number}.level"] = spec.level.value
        values[f"c.{number}.action"] = spec.action.value
    name = "" if preset.name in ("behavioural", "founding") else preset.name
    return posted_form({**values, "name": name}, base)


def posted_form(
    values: Mapping[str, str], base: RulePreset, problems: Mapping[str, str] | None = None
) -> EditorForm:
    """The form as it was posted, with what is wrong with it."""
    defaults = base.defaults()
    rows = tuple(
        RuleRow(
            rule.name,
            rule.title,
            tuple(
                Input(
                    f"p.{rule.name}.{name}",
                    name.replace("_", " "),
                    values.get(f"p.{rule.name}.{name}", _text(default)),
                    _text(default),
                )
                for name, default in defaults[rule.name].items()
            ),
            values.get(f"a.{rule.name}", rule.action.value),
            rule.action.value,
        )
        for rule in base.built_in()
    )
    custom = [{**BLANK, **row} for row in [*_custom_rows(values), *[{}] * SPARE]]
    return EditorForm(
        base.name,
        values.get("name", ""),
        values.get("person", ""),
        rows,
        tuple(custom),
        _by_field(problems or {}),
    )


def _by_field(problems: Mapping[str, str]) -> dict[str, str]:
    """One problem a field: a number that is none is told as no float and again as no int."""
    found: dict[str, str] = {}
    for name, text in problems.items():
        found.setdefault(name.removesuffix(".float").removesuffix(".int"), text)
    return found


def draft(values: Mapping[str, str], base: RulePreset) -> dict[str, Any]:
    """What the form says, as `backend.gates.presets` takes it: only what differs from the defaults."""
    parameters: dict[str, dict[str, Any]] = {}
    actions: dict[str, str] = {}
    form = posted_form(values, base)
    for row in form.rules:
        for given in row.inputs:
            if given.changed:
                name = given.name.rpartition(".")[2]
                parameters.setdefault(row.rule, {})[name] = _number(given.value)
        if row.action != row.default_action:
            actions[row.rule] = row.action
    custom = [_custom(row) for row in _custom_rows(values)]
    return {"base": base.name, "parameters": parameters, "actions": actions, "custom": custom}


def _custom(row: Mapping[str, str]) -> dict[str, Any]:
    """One rule of the user's own; boxes left empty are not given."""
    given = {key: _number(v) if key in NUMBERS else v for key, v in row.items() if v}
    given["lower_is_better"] = given.pop("better", "higher") == "lower"
    return given


def _custom_rows(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of the user's own rules that have a name; the empty spare row is none."""
    rows: dict[int, dict[str, str]] = {}
    for key, value in values.items():
        prefix, _, rest = key.partition(".")
        number, _, name = rest.partition(".")
        if prefix == "c" and number.isdigit() and name:
            rows.setdefault(int(number[:4]), {})[name] = value.strip()
    return [row for _, row in sorted(rows.items()) if row.get("name")]


def _number(text: str) -> Any:
    """A number as written; anything else stays text, to be refused by name."""
    for kind in (int, float):
        try:
            return kind(text.replace(",", "").strip())
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
