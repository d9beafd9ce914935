"""What a run's configuration says of rules, checked before the run is made."""

from sqlalchemy.orm import Session

from backend.errors import InvalidConfig, NotFound
from backend.gates.facts import facts_of_config
from backend.gates.presets import load_preset
from backend.runs.config import RunConfig


def check_rules(session: Session, config: RunConfig) -> None:
    """A preset nobody saved, or a halt on a rule it lacks, would never act: refuse both.

    Raises:
        InvalidConfig: with the field at fault.
    """
    try:
        preset = load_preset(session, config.rules)
    except NotFound as error:
        raise InvalidConfig({"rules": str(error)}) from None
    _, rules = preset.rules(facts_of_config(config))
    known = [rule.name for rule in rules]
    if unknown := [name for name in config.halt_on if name not in known]:
        raise InvalidConfig(
            {
                "halt_on": f"'{unknown[0]}' is no rule of {config.rules}: "
                f"choose from {', '.join(known)}"
            }
        )
