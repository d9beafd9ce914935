"""Rules a configuration names must exist before a run is made."""

from typing import Any

import pytest

from backend.database import Database
from backend.errors import InvalidConfig
from backend.gates.admission import check_rules
from backend.runs.parsing import parse_config


def check(database: Database, **overrides: Any) -> None:
    with database.read() as session:
        check_rules(session, parse_config("quickstart", overrides))


@pytest.mark.parametrize("preset", ["quickstart", "vision-small", "paper"])
def test_the_rules_of_every_preset_exist(database: Database, preset: str) -> None:
    with database.read() as session:
        check_rules(session, parse_config(preset))


def test_a_halt_on_a_rule_that_does_not_exist_is_refused_with_the_choice(
    database: Database,
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        check(database, halt_on=["collapse", "explosion"])
    assert "'explosion' is no rule of behavioural" in refused.value.fields["halt_on"]
    assert "collapse" in refused.value.fields["halt_on"]


def test_rules_of_another_preset_are_not_known(database: Database) -> None:
    check(database, halt_on=["collapse"])
    check(database, rules="founding")
    with pytest.raises(InvalidConfig):
        check(database, rules="founding", halt_on=["collapse"])


def test_a_rule_preset_nobody_saved_is_refused(database: Database) -> None:
    with pytest.raises(InvalidConfig) as refused:
        check(database, rules="mine")
    assert "mine" in refused.value.fields["rules"]
