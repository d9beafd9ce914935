"""Presets people save: versions, and refusals that name the field."""

import math
from typing import Any

import pytest

from backend.database import Database
from backend.errors import InvalidConfig, NotFound
from backend.gates.engine import GateEngine
from backend.gates.presets import load_preset, save_preset, saved_presets
from backend.rules.rule import RuleAction
from tests.rules.scripted import FACTS, Script

STRICT: dict[str, Any] = {
    "name": "strict",
    "parameters": {"transition": {"steps": 500}},
    "custom": [
        {
            "name": "td_high",
            "kind": "threshold",
            "metric": "learner/td_error_q1",
            "limit": 5,
            "samples": 1,
            "action": "halt",
        }
    ],
}


def test_saving_again_adds_a_version_and_keeps_the_first(database: Database) -> None:
    with database.write() as session:
        save_preset(session, STRICT, "Ada", 1.0)
        save_preset(session, {**STRICT, "parameters": {}}, "Ada", 2.0)
    with database.read() as session:
        assert load_preset(session, "strict").version == 2
        first = load_preset(session, "strict@1")
        assert [(row.version, row.person) for row in saved_presets(session)] == [
            (2, "Ada"),
            (1, "Ada"),
        ]
    assert first.parameters == {"transition": {"steps": 500}}


def test_a_saved_rule_acts_in_the_engine(database: Database) -> None:
    with database.write() as session:
        save_preset(session, STRICT, "Ada", 1.0)
    with database.read() as session:
        engine = GateEngine(FACTS, load_preset(session, "strict"))
    engine.observe(Script().samples([{"learner/td_error_q1": 6.0}]).points)
    judgement = engine.evaluate(2_000)
    assert judgement.actions == {RuleAction.HALT}
    assert (judgement.preset, judgement.preset_version) == ("strict", 1)


def test_built_in_presets_are_loaded_by_name(database: Database) -> None:
    with database.read() as session:
        assert load_preset(session, "founding").name == "founding"


@pytest.mark.parametrize("name", ["strikt", "strict@7"])
def test_an_unknown_preset_is_not_found_with_the_names_there_are(
    database: Database, name: str
) -> None:
    with database.write() as session:
        save_preset(session, STRICT, "Ada", 1.0)
        with pytest.raises(NotFound, match="choose from behavioural, founding, strict@1"):
            load_preset(session, name)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "founding"}, "name"),
        ({"name": "no spaces"}, "name"),
        ({"parameters": {"transition": {"stepz": 1}}}, "parameters.transition.stepz"),
        ({"parameters": {"transition": {"steps": -5}}}, "parameters.transition.steps"),
        (
            {"parameters": {"over_estimation": {"critical": math.nan}}},
            "parameters.over_estimation.critical",
        ),
        ({"custom": [STRICT["custom"][0], STRICT["custom"][0]]}, "custom.td_high"),
        ({"custom": [{**STRICT["custom"][0], "kind": "magic"}]}, "custom.0.kind"),
        ({"custom": [{**STRICT["custom"][0], "kind": "ratio"}]}, "custom.td_high.other"),
        ({"custom": [{**STRICT["custom"][0], "name": "transition"}]}, "custom.transition"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_preset_is_refused_by_field_and_nothing_is_saved(
    database: Database, change: dict[str, Any], field: str
) -> None:
    with database.write() as session:
        with pytest.raises(InvalidConfig) as refusal:
            save_preset(session, {**STRICT, **change}, "Ada", 1.0)
        assert field in refusal.value.fields
        assert saved_presets(session) == []
