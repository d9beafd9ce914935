"""Saved presets: built-in rules with other parameters and rules of the user's own, in versions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig, NotFound
from backend.gates.models import SavedPreset
from backend.gates.plan import problems as in_words
from backend.rules.custom import CustomSpec
from backend.rules.presets import PRESETS, RulePreset, problems
from backend.rules.rule import RuleAction, RuleState

NAME = r"^[a-z][a-z0-9_-]{0,47}$"


class CustomRuleIn(BaseModel):
    """A user's rule as it comes from the page or a file; `backend.rules.custom` says what it means."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    kind: Literal["threshold", "ratio", "trend", "stagnation"]
    metric: str = Field(min_length=1, max_length=200)
    limit: float = Field(allow_inf_nan=False)
    direction: Literal["above", "below"] = "above"
    other: str = Field("", max_length=200)
    window: int = Field(20, ge=1, le=100_000_000)
    samples: int = Field(3, ge=1, le=10_000)
    lower_is_better: bool = False
    level: Literal["warning", "critical"] = "warning"
    action: Literal["note", "checkpoint", "pause", "halt", "rollback"] = "note"
    title: str = Field("", max_length=120)

    def spec(self) -> CustomSpec:
        values = self.model_dump()
        values["level"], values["action"] = RuleState(self.level), RuleAction(self.action)
        return CustomSpec(**values)


class PresetDraft(BaseModel):
    """What a preset says, before it has a name."""

    model_config = ConfigDict(extra="forbid")

    base: Literal["behavioural", "founding"] = "behavioural"
    title: str = Field("", max_length=120)
    parameters: dict[str, dict[str, float | int]] = {}
    custom: list[CustomRuleIn] = Field([], max_length=100)
    actions: dict[str, Literal["note", "checkpoint", "pause", "halt", "rollback"]] = {}

    def named(self, name: str, version: int) -> RulePreset:
        return replace(
            PRESETS[self.base],
            name=name,
            version=version,
            title=self.title or name,
            parameters=self.parameters,
            custom=tuple(rule.spec() for rule in self.custom),
            actions={rule: RuleAction(action) for rule, action in self.actions.items()},
        )


class PresetIn(PresetDraft):
    """A preset to save."""

    name: str = Field(pattern=NAME)

    def preset(self, version: int) -> RulePreset:
        return self.named(self.name, version)


def draft_preset(values: Mapping[str, Any]) -> RulePreset:
    """A preset nobody saved, to try it on runs.

    Raises:
        InvalidConfig: with every wrong field and its remedy.
    """
    preset = _parse(PresetDraft, values).named("draft", 0)
    if wrong := problems(preset):
        raise InvalidConfig(wrong)
    return preset


def save_preset(session: Session, values: Mapping[str, Any], person: str, now: float) -> RulePreset:
    """Save a preset as its next version; earlier versions stay, because verdicts name them.

    Raises:
        InvalidConfig: with every wrong field and its remedy; nothing is saved.
    """
    given = _parse(PresetIn, values)
    if given.name in PRESETS:
        raise InvalidConfig(
            {"name": f"'{given.name}' is built in and cannot be replaced: choose another name"}
        )
    preset = given.preset(_latest(session, given.name) + 1)
    if wrong := problems(preset):
        raise InvalidConfig(wrong)
    stored = given.model_dump(mode="json")
    session.add(SavedPreset(**stored, version=preset.version, person=person, created_at=now))
    session.flush()
    return preset


Draft = TypeVar("Draft", bound=PresetDraft)


def _parse(model: type[Draft], values: Mapping[str, Any]) -> Draft:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidConfig(in_words(error)) from None


def _latest(session: Session, name: str) -> int:
    query = select(func.max(SavedPreset.version)).where(SavedPreset.name == name)
    return session.scalar(query) or 0


def load_preset(session: Session, name: str) -> RulePreset:
    """A built-in preset or a saved one; `NAME@2` is its version 2, plain `NAME` its newest.

    Raises:
        NotFound: with the names there are.
    """
    if name in PRESETS:
        return PRESETS[name]
    plain, _, version = name.partition("@")
    if plain in PRESETS and version == str(PRESETS[plain].version):
        return PRESETS[plain]
    number = int(version) if version.isdigit() else _latest(session, plain)
    row = session.get(SavedPreset, (plain, number))
    if row is None:
        known = ", ".join([*PRESETS, *(f"{p.name}@{p.version}" for p in saved_presets(session))])
        raise NotFound(f"there is no rule preset '{name}': choose from {known}")
    fields = {name: getattr(row, name) for name in PresetIn.model_fields}
    return PresetIn.model_validate(fields).preset(row.version)


def preset_document(session: Session, name: str) -> dict[str, Any]:
    """A preset as people write one: a built-in one with every default, a saved one as it was saved.

    Raises:
        NotFound: with the names there are.
    """
    if name in PRESETS:
        return {"name": f"my-{name}", "base": name, "parameters": PRESETS[name].defaults()}
    preset = load_preset(session, name)
    row = session.get_one(SavedPreset, (preset.name, preset.version))
    return {field: getattr(row, field) for field in ("name", *PresetDraft.model_fields)}


def saved_presets(session: Session) -> Sequence[SavedPreset]:
    """Every saved version, newest first within a name."""
    query = select(SavedPreset).order_by(SavedPreset.name, SavedPreset.version.desc())
    return session.scalars(query).all()
