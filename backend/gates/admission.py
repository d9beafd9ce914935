"""What a run's configuration says of rules, checked before the run is made."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from backend.errors import InvalidConfig, NotFound
from backend.gates.facts import facts_of_config
from backend.gates.presets import load_preset
from backend.rules.rule import RunFacts
from backend.runs.config import DIVERGENCE, RunConfig
from backend.runs.matrix import Cell, expand


def check_rules(session: Session, config: RunConfig) -> None:
    """A preset nobody saved, or a halt or rollback on a rule it lacks, would never act: refuse them.

    Raises:
        InvalidConfig: with the field at fault.
    """
    facts = facts_of_config(config)
    check_choice(session, config.rules, config.halt_on, facts)
    chosen = [name for name in config.rollback_on if name not in DIVERGENCE]
    check_choice(session, config.rules, chosen, facts, "rollback_on")


def admit_matrix(
    session: Session,
    preset: str,
    config: Mapping[str, Any],
    seeds: Sequence[int] = (),
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Cell]:
    """The runs of a matrix, all of which may be made.

    Raises:
        InvalidConfig: with the field at fault, `variants.NAME.FIELD` where only a variant is.
    """
    return expand(preset, config, seeds, variants, partial(check_rules, session))


def check_choice(
    session: Session, name: str, chosen: Sequence[str], facts: RunFacts, field: str = "halt_on"
) -> None:
    """The same for a run of any kind.

    Raises:
        InvalidConfig: with the field at fault.
    """
    try:
        preset = load_preset(session, name)
    except NotFound as error:
        raise InvalidConfig({"rules": str(error)}) from None
    _, rules = preset.rules(facts)
    known = [rule.name for rule in rules]
    if unknown := [name for name in chosen if name not in known]:
        raise InvalidConfig(
            {field: f"'{unknown[0]}' is no rule of {preset.name}: choose from {', '.join(known)}"}
        )
