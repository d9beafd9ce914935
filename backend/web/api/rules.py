"""Presets of go / no-go rules over HTTP: those there are, one as it was written, and a new version."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from backend.gates.presets import (
    PresetIn,
    preset_document,
    save_preset,
    saved_presets,
)
from backend.rules.presets import PRESETS
from backend.web.api.schemas import FromRow
from backend.web.context import Now, Reading, Writing

router = APIRouter(prefix="/rules", tags=["rules"])


class NewPreset(PresetIn):
    """A preset to save, and who saves it."""

    person: str = Field("", max_length=120)


class PresetOut(FromRow):
    """A preset in one of its versions; `base` is the built-in one it changes."""

    name: str
    version: int
    base: str
    title: str


@router.get("")
def read_all(session: Reading) -> list[PresetOut]:
    """Built-in presets and every saved version, newest first within a name."""
    built_in = [
        PresetOut(name=name, version=preset.version, base=name, title=preset.title)
        for name, preset in PRESETS.items()
    ]
    return built_in + [PresetOut.model_validate(row) for row in saved_presets(session)]


@router.get("/{name}")
def read(name: str, session: Reading) -> dict[str, Any]:
    """`NAME`, `NAME@VERSION` or a built-in preset as it is written; a built-in one with every default."""
    return preset_document(session, name)


@router.post("", status_code=201)
def save(body: NewPreset, session: Writing, now: Now) -> PresetOut:
    """Save the next version of a preset; earlier ones stay, since verdicts name them."""
    values = body.model_dump(exclude={"person"}, exclude_unset=True)
    kept = save_preset(session, values, body.person, now)
    return PresetOut(name=kept.name, version=kept.version, base=body.base, title=kept.title)
