"""Gates at steps at work: when they look, what they ask, and what a new attempt finds."""

import time
from typing import Any

import pytest

from backend.database import Database
from backend.errors import IllegalTransition, InvalidConfig
from backend.gates.engine import GateEngine, Judgement
from backend.gates.passages import (
    accept_gate,
    edit_gates,
    passages,
    refresh,
    save_passages,
    standing,
    watch,
)
from backend.gates.plan import documents, parse_gates
from backend.gates.steps import StepGates
from backend.metrics.store import append
from backend.rules.gate import Outcome
from backend.rules.moment import Point
from backend.rules.presets import PRESETS
from backend.rules.rule import RuleAction
from backend.runs.models import Run, Segment
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, get_run
from tests.rules.scripted import FACTS

RETURN = {"measure": "mean episode/return", "low": 50, "halt_below": 10}
GATE = [{"at": 100, "checks": [RETURN]}]


def points(value: float, after: int, until: int) -> list[Point]:
    return [("episode/return", step, step, 0.0, value) for step in range(after + 1, until + 1)]


def engine(values: list[dict[str, Any]], acts: bool = True) -> GateEngine:
    return GateEngine(FACTS, gates=StepGates(parse_gates(values), acts=acts))


def reach(judged: GateEngine, value: float, step: int, after: int = 0) -> Judgement:
    judged.observe(points(value, after, step))
    return judged.evaluate(step)


def outcomes(judgement: Judgement) -> list[str]:
    return [passage.outcome.value for passage in judgement.passages]


def halts(judgement: Judgement) -> list[str]:
    return [r.rule for r in judgement.requests if r.kind == "gate" and r.action is RuleAction.HALT]


def test_a_gate_answers_once_when_the_run_is_past_its_step() -> None:
    judged = engine(GATE)
    assert outcomes(reach(judged, 60, 100)) == []
    assert outcomes(reach(judged, 60, 101, after=100)) == ["pass"]
    assert outcomes(reach(judged, 0, 150, after=101)) == []


def test_the_gate_at_the_last_step_answers_when_all_is_in() -> None:
    judged = engine(GATE)
    reach(judged, 60, 100)
    assert outcomes(judged.evaluate(100, final=True)) == ["pass"]


def test_a_loop_that_is_ahead_of_its_points_is_waited_for() -> None:
    judged = engine(GATE)
    judged.observe(points(60, 0, 90))
    assert judged.evaluate(140).passages == ()
    judged.observe(points(60, 90, 140))
    assert outcomes(judged.evaluate(141)) == ["pass"]


def test_a_gate_that_says_halt_asks_for_it_unless_gates_only_take_note() -> None:
    judgement = reach(engine(GATE), 5, 101)
    assert outcomes(judgement) == ["halt"]
    assert halts(judgement) == ["at 100"]
    noted = reach(engine(GATE, acts=False), 5, 101)
    assert outcomes(noted) == ["halt"]
    assert halts(noted) == []


def test_an_extension_looks_again_and_then_leaves_it_to_a_person() -> None:
    check = {**RETURN, "otherwise": "extend"}
    judged = engine([{"at": 100, "extend_to": 200, "checks": [check]}])
    first = reach(judged, 20, 101)
    assert (outcomes(first), first.passages[0].extend_to) == (["extend"], 200)
    assert outcomes(reach(judged, 20, 200, after=101)) == []
    second = reach(judged, 20, 201, after=200)
    assert outcomes(second) == ["conditional"]
    assert (second.passages[0].at, second.passages[0].looked_at) == (100, 200)


@pytest.mark.parametrize("preset", ["founding", "behavioural"])
def test_the_gates_of_a_preset_can_be_written_down_and_read_back(preset: str) -> None:
    gates = PRESETS[preset].gates
    assert parse_gates(documents(gates)) == gates
    assert parse_gates(preset) == gates


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ([{"at": 0, "checks": [RETURN]}], "gates.0.at", "got 0"),
        ([{"at": 10, "checks": []}], "gates.0.checks", "at least 1"),
        ([{"at": 10, "checks": [{"measure": "luck"}]}], "gates.0.checks.0", "'luck' is no measure"),
        ([{"at": 10, "extend_to": 5, "checks": [RETURN]}], "gates.0", "is not after"),
        ([*GATE, *GATE], "gates", "two gates stand at step 100"),
        ([{"at": 10, "checks": [{**RETURN, "hi": 3}]}], "gates.0.checks.0.hi", "'hi' is not known"),
        ("mine", "gates", "'mine' is no set of gates"),
    ],
)
def test_a_wrong_gate_is_refused_with_field_value_and_remedy(
    values: Any, field: str, words: str
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        parse_gates(values)
    assert words in refused.value.fields[field]


def stored(database: Database, step: int, value: float) -> tuple[int, int]:
    """A run that stands at `step`, with returns of `value`, and its segment."""
    with database.write() as session:
        run = create_run(session, "", "quickstart", parse_config("quickstart"), 1.0)
        segment = Segment(run_id=run.id, number=1, created_at=1.0)
        session.add(segment)
        session.flush()
        run.segment_id, run.step = segment.id, step
        append(session, segment.id, points(value, 0, step))
        edit_gates(session, run.id, GATE, "Ada", 2.0)
        return run.id, segment.id


def pass_gates(database: Database, run_id: int, step: int) -> list[Outcome]:
    """What an attempt that stands at `step` finds there, kept as the trainer keeps it."""
    with database.write() as session:
        run = get_run(session, run_id)
        gates = watch(session, run, step - 1)
        passed = gates.judge(step, False, FACTS, None)
        save_passages(session, run_id, run.segment_id, passed, gates.version, True, time.time())
        return [passage.outcome for passage in passed]


def test_a_new_attempt_has_seen_what_was_stored_and_what_gates_answered(
    database: Database,
) -> None:
    run_id, _ = stored(database, 120, 60)
    assert pass_gates(database, run_id, 120) == [Outcome.PASS]
    assert pass_gates(database, run_id, 121) == []
    with database.read() as session:
        (row,) = passages(session, run_id)
        assert (row.gate_at, row.step, row.outcome, row.plan_id) == (100, 120, "pass", 1)
        assert row.findings[0]["value"] == 60


def test_a_run_that_went_back_before_a_gate_meets_it_again(database: Database) -> None:
    run_id, _ = stored(database, 120, 60)
    pass_gates(database, run_id, 120)
    with database.write() as session:
        run = get_run(session, run_id)
        run.step = 80
        assert [gate.at for gate, _ in watch(session, run, 80).pending] == [100]
        assert standing(session, run)[0].outcome is Outcome.PENDING


def test_gates_changed_while_it_trains_are_taken_up_with_the_points_they_need(
    database: Database,
) -> None:
    run_id, _ = stored(database, 120, 60)
    with database.write() as session:
        gates = watch(session, get_run(session, run_id), 90)
        other = [{"at": 110, "checks": [{"measure": "mean episode/return", "low": 100}]}]
        edit_gates(session, run_id, other, "Ada", 3.0)
        refresh(session, run_id, gates)
        assert [passage.outcome for passage in gates.judge(120, False, FACTS, None)] == [
            Outcome.CONDITIONAL
        ]


def test_another_run_is_compared_with(database: Database) -> None:
    baseline, _ = stored(database, 120, 50)
    run_id, _ = stored(database, 120, 60)
    check = {"measure": "return_against_other", "low": 10}
    with database.write() as session:
        edit_gates(session, run_id, [{"at": 100, "checks": [check]}], "", 3.0, baseline)
    assert pass_gates(database, run_id, 120) == [Outcome.PASS]
    with database.write() as session, pytest.raises(InvalidConfig, match="is this run"):
        edit_gates(session, run_id, [], "", 3.0, run_id)


def test_a_run_to_compare_with_that_was_deleted_leaves_the_decision_to_a_person(
    database: Database,
) -> None:
    baseline, _ = stored(database, 120, 50)
    run_id, _ = stored(database, 120, 60)
    check = {"measure": "return_against_other", "low": 10}
    with database.write() as session:
        edit_gates(session, run_id, [{"at": 100, "checks": [check]}], "", 3.0, baseline)
        session.delete(get_run(session, baseline))
    assert pass_gates(database, run_id, 120) == [Outcome.CONDITIONAL]


def test_a_person_accepts_what_a_gate_left_open_and_only_that(database: Database) -> None:
    run_id, _ = stored(database, 120, 20)
    with database.write() as session, pytest.raises(IllegalTransition, match="says pending"):
        accept_gate(session, run_id, 100, "Ada", "early", 5.0)
    assert pass_gates(database, run_id, 120) == [Outcome.CONDITIONAL]
    with database.write() as session, pytest.raises(InvalidConfig) as refused:
        accept_gate(session, run_id, 100, " ", "", 5.0)
    assert set(refused.value.fields) == {"person", "reason"}
    with database.write() as session:
        accept_gate(session, run_id, 100, "Ada", "the baseline is as low", time.time() + 1)
        run: Run = get_run(session, run_id)
        (view,) = standing(session, run)
        assert view.acceptance is not None
        assert view.acceptance.person == "Ada"
        assert view.acceptance.evidence["checks"][0]["value"] == 20
