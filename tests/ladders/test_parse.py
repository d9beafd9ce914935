"""Plans as people write them: what is right, and what is refused before anything starts."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from backend.cli import app
from backend.database import Database
from backend.errors import InvalidConfig, PitwallError
from backend.ladders.parse import parse_plan
from backend.ladders.presets import PLANS
from backend.yaml_text import read_yaml
from tests.ladders.conftest import two_stages

SCRATCH = {"name": "s", "preset": "quickstart"}


def parse(database: Database, values: Any) -> None:
    with database.read() as session:
        parse_plan(session, values)


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_to_start_from_is_right(database: Database, name: str) -> None:
    with database.read() as session:
        plan = parse_plan(session, read_yaml(PLANS[name]))
    assert len(plan.stages) >= 3
    assert any(stage.start == "continue" for stage in plan.stages)


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        (None, "plan", "is empty, not a mapping"),
        (["a"], "plan", "is a list, not a mapping"),
        ("some prose", "plan", "is a text, not a mapping: begin with `name:`"),
        (5, "plan", "is 5, not a mapping"),
        ({"name": "x"}, "stages", "'stages' is missing"),
        ({"name": "x", "stages": 5}, "stages", "is 5, not a list"),
        ({"name": "x", "stages": [5]}, "stages.0", "is 5, not a mapping"),
        ({"name": 5, "stages": [SCRATCH]}, "name", "is 5, not a text"),
        ({"name": "x", "stages": [SCRATCH], "stage": []}, "stage", "not known here"),
        ({"name": "x", "stages": [{**SCRATCH, "start": "later"}]}, "stages.0.start", "'later'"),
        (
            {"name": "x", "stages": [{**SCRATCH, "config": {"total_steps": -5}}]},
            "stages.0.config.total_steps",
            "got -5",
        ),
        (
            {"name": "x", "stages": [{**SCRATCH, "config": {"rules": "nobody"}}]},
            "stages.0.config.rules",
            "choose from behavioural, founding",
        ),
        ({"name": "x", "stages": []}, "stages", "at least 1"),
        ({"name": "x", "stages": [{"name": "s"}]}, "stages.0.preset", "names the preset"),
        ({"name": "x", "stages": [{**SCRATCH, "preset": "nope"}]}, "stages.0.preset", "'nope'"),
        (
            {"name": "x", "stages": [{**SCRATCH, "config": {"gamma": 2}}]},
            "stages.0.config.gamma",
            "got 2",
        ),
        ({"name": "x", "stages": [{**SCRATCH, "stpes": 2}]}, "stages.0.stpes", "not known here"),
        ({"name": "x", "stages": [SCRATCH, SCRATCH]}, "stages.1.name", "names two stages"),
        ({"name": "x", "stages": [{**SCRATCH, "gates": "x"}]}, "stages.0.gates", "no set of gates"),
        (
            {
                "name": "x",
                "stages": [{**SCRATCH, "gates": [{"at": 1, "checks": [{"measure": "q"}]}]}],
            },
            "stages.0.gates.0.checks.0",
            "'q' is no measure",
        ),
        (
            {"name": "x", "stages": [{**SCRATCH, "against": "later"}]},
            "stages.0.against",
            "no earlier stage",
        ),
        (
            {"name": "x", "stages": [{"name": "s", "start": "continue"}]},
            "stages.0.continues",
            "no earlier stage",
        ),
        (two_stages(config={"total_steps": 4000}), "stages.1.config.total_steps", "raise it"),
        (two_stages(config={"gamma": 0.9}), "stages.1.config", "set only total_steps"),
        (two_stages(continues="x"), "stages.1.continues", "choose from first"),
    ],
)
def test_a_wrong_plan_is_refused_with_field_value_and_remedy(
    database: Database, values: Any, field: str, words: str
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        parse(database, values)
    assert words in refused.value.fields[field], refused.value.fields


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", "line 1, column 8"),
        ("a: b: c", "line 1"),
        ("a: 1\nb: {c: 1, c: 2}", "line 2, column 11: 'c' stands twice: remove one"),
        ("a: 1\na: 2", "line 2, column 1: 'a' stands twice"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("x" * 300_000, "keep it below"),
    ],
)
def test_a_text_that_is_no_plain_yaml_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        read_yaml(text)
    assert words in refused.value.fields["plan"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
STAGE = st.fixed_dictionaries(
    {"name": st.just("s") | JSON},
    optional={
        "preset": st.just("quickstart") | JSON,
        "config": st.just({}) | JSON,
        "gates": st.just("none") | JSON,
        "start": st.sampled_from(["scratch", "continue"]) | JSON,
        "against": JSON,
        "continues": JSON,
    },
)


@given(st.fixed_dictionaries({"name": st.just("x") | JSON, "stages": st.lists(STAGE, max_size=3)}))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_written_is_a_plan_or_is_refused(values: Any) -> None:
    """No document makes the parser fail in any other way; presets built in need no database."""
    with suppress(InvalidConfig):
        assert parse_plan(Session(), values).stages


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty, not a mapping"),
        (b"\x93\x00", "cannot be read"),
        (b"stages: [", "is no YAML, line 1"),
        (b"name: x\nstages:\n  - {name: s, preset: nope}\n", "stages.0.preset: 'nope'"),
    ],
)
def test_a_file_that_is_no_plan_starts_nothing_and_says_what_to_mend(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file, data = tmp_path / "plan.yaml", ["--data", str(tmp_path / "data")]
    file.write_bytes(content)
    with pytest.raises(PitwallError, match=re.escape(words)):
        CliRunner().invoke(app, ["ladder", "start", str(file), *data], catch_exceptions=False)
    listed = CliRunner().invoke(app, ["ladder", "list", *data, "--json"])
    assert listed.exit_code != 0 or json.loads(listed.output) == []
