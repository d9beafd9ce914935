"""A configuration out of what people give: a preset or the values of a run, and what they change of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from backend.errors import InvalidConfig, shown
from backend.refusals import field_in_words
from backend.runs.config import RunConfig
from backend.runs.contradictions import contradictions
from backend.runs.presets import PRESETS
from backend.runs.registry import unregistered
from backend.runs.unread import idle_choices, refuse_idle


def parse_config(preset: str, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The preset's config with single keys overridden.

    Raises:
        InvalidConfig: with every wrong field, its value and a remedy.
    """
    return changed_config(preset_values(preset), overrides or {})


def changed_config(values: Mapping[str, Any], changes: Mapping[str, Any]) -> RunConfig:
    """A config of `values`, the rest at their defaults, with some changed.

    Raises:
        InvalidConfig: with every wrong field, its value and a remedy.
    """
    config = _validated({**values, **changes})
    idle = idle_choices(config, changes, _read(values))
    refuse_idle(idle if can_leave_out(values, changes, idle) else {}, changes)
    return config


def can_leave_out(
    values: Mapping[str, Any], changes: Mapping[str, Any], idle: Collection[str]
) -> bool:
    """Whether `values` with the other `changes` are a configuration: some that is never read keeps it one."""
    kept = {name: value for name, value in changes.items() if name not in idle}
    return not contradictions(_read({**values, **kept}))


def parse_leniently(preset: str, overrides: Mapping[str, Any]) -> RunConfig:
    """The same as `parse_config`, though some of it may never be read.

    Raises:
        InvalidConfig: with every wrong field, its value and a remedy.
    """
    return _validated({**preset_values(preset), **overrides})


def preset_values(name: str) -> Mapping[str, Any]:
    if name not in PRESETS:
        raise InvalidConfig(
            {"preset": f"{shown(name)} is not known: choose one of {', '.join(PRESETS)}"}
        )
    return PRESETS[name].overrides


def _validated(values: Mapping[str, Any]) -> RunConfig:
    config = _read(values)
    if problems := [*contradictions(config), *unregistered(config)]:
        raise InvalidConfig({problem.split(" ", 1)[0]: problem for problem in reversed(problems)})
    return config


def _read(values: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors()
        raise InvalidConfig(dict(field_in_words(d, _examples(d["loc"])) for d in details)) from None


def _examples(loc: Sequence[int | str]) -> Sequence[str]:
    field = RunConfig.model_fields.get(str(loc[0])) if loc else None
    return (field.examples or ()) if field else ()
