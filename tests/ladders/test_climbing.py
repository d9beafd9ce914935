"""How ladders move: what starts the next stage, what waits for a person, what stops."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.database import Database
from backend.errors import IllegalTransition, InvalidConfig, NotFound
from backend.gates import service
from backend.gates.engine import GateEngine
from backend.gates.plan import newest_plan
from backend.ladders.service import accept, get_ladder, ladder_of_run, stop_ladder
from backend.runs import attempts
from backend.runs.events import list_events
from backend.runs.service import list_runs, request_halt, request_resume
from tests.ladders.conftest import PENDULUM, Climb, two_stages
from tests.rules.scripted import FACTS, explored
from tests.runs.conftest import claimed, saved


def states(climb: Climb) -> tuple[str, list[str]]:
    return climb.ladder().state, [stage.state for stage in climb.stages()]


def test_the_first_stage_is_queued_at_once_with_its_gates(climb: Climb) -> None:
    assert states(climb) == ("running", ["running", "pending"])
    run = climb.run(0)
    assert (run.state, run.name, run.total_steps) == ("queued", "Two: first", 4000)
    with climb.database.read() as session:
        plan = newest_plan(session, run.id)
        assert plan is not None
        assert plan.gates[0]["at"] == 4000
        found = ladder_of_run(session, run.id)
        assert found is not None
        assert found.id == climb.id


def test_nothing_moves_while_the_stage_trains(climb: Climb) -> None:
    assert climb.advance() is False
    assert states(climb) == ("running", ["running", "pending"])


def test_a_gate_that_passes_starts_the_next_stage_from_the_last_checkpoint(climb: Climb) -> None:
    climb.finish("pass")
    assert climb.advance() is True
    assert states(climb) == ("running", ["passed", "running"])
    run = climb.run(1)
    assert run.id == climb.run(0).id
    assert (run.state, run.total_steps, run.config["total_steps"]) == ("queued", 8000, 8000)
    assert run.resume_checkpoint_id is not None
    climb.finish()
    assert climb.advance() is True
    assert states(climb) == ("passed", ["passed", "passed"])
    assert climb.stages()[0].answers[0]["outcome"] == "pass"
    assert climb.stages()[0].step == 4000


def test_a_stage_from_scratch_has_a_run_of_its_own_and_may_compare(database: Database) -> None:
    second = {
        "start": "scratch",
        "preset": "quickstart",
        "config": {**PENDULUM, "algorithm": "ddpg", "total_steps": 5000},
        "against": "first",
    }
    climb = Climb(database, two_stages(**second))
    climb.finish()
    climb.advance()
    run = climb.run(1)
    assert run.id != climb.run(0).id
    assert run.config["algorithm"] == "ddpg"
    with database.read() as session:
        plan = newest_plan(session, run.id)
        assert plan is not None
        assert plan.against_run_id == climb.run(0).id


def test_a_conditional_gate_waits_for_a_named_person_with_a_reason(climb: Climb) -> None:
    climb.finish("conditional")
    assert climb.advance() is True
    assert states(climb) == ("waiting", ["waiting", "pending"])
    assert "the return is conditional" in climb.stages()[0].reason
    assert climb.advance() is False
    with climb.database.write() as session, pytest.raises(InvalidConfig) as refused:
        accept(session, climb.id, "", " ", time.time())
    assert set(refused.value.fields) == {"person", "reason"}
    with climb.database.write() as session:
        accept(session, climb.id, "Ada", "the sensor was off", time.time())
    assert states(climb) == ("running", ["passed", "running"])
    first = climb.stages()[0]
    assert (first.accepted_by, first.accepted_reason) == ("Ada", "the sensor was off")
    assert first.answers[0]["accepted_by"] == "Ada"
    with climb.database.write() as session, pytest.raises(IllegalTransition, match="is running"):
        accept(session, climb.id, "Ada", "again", time.time())


@pytest.mark.parametrize("verdict", ["conditional-go", "too-early"])
def test_a_verdict_short_of_go_waits_for_a_person_too(climb: Climb, verdict: str) -> None:
    climb.finish("pass", verdict)
    climb.advance()
    assert states(climb)[0] == "waiting"


@pytest.mark.parametrize(("expires", "state"), [(9_000, "running"), (3_999, "waiting")])
def test_conditions_accepted_on_the_run_itself_let_the_stage_pass_until_they_expire(
    climb: Climb, expires: int, state: str
) -> None:
    engine = GateEngine(FACTS)
    engine.observe(explored().episodes([20.0] * 10).points)
    run_id = climb.run(0).id
    with climb.database.write() as session:
        service.save_judgement(session, run_id, None, engine.evaluate(1_501), time.time())
        ada = ("Ada", "fresh policy", time.time())
        service.accept(session, run_id, "transition", *ada, expires_step=expires)
    climb.finish("pass", "conditional-go")
    climb.advance()
    assert states(climb)[0] == state
    told = climb.stages()[0].reason
    assert ("Accepted by Ada: fresh policy" in told) is (state == "running")


@pytest.mark.parametrize(("outcome", "verdict"), [("halt", "go"), ("pass", "no-go")])
def test_no_go_stops_the_ladder(climb: Climb, outcome: str, verdict: str) -> None:
    climb.finish(outcome, verdict)
    assert climb.advance() is True
    assert states(climb) == ("stopped", ["stopped", "pending"])
    assert climb.advance() is False


def test_a_stage_whose_verdict_is_ignored_passes_by_its_gates(database: Database) -> None:
    plan = two_stages()
    plan["stages"][0]["verdict"] = "ignored"
    climb = Climb(database, plan)
    climb.finish("pass", "no-go")
    climb.advance()
    assert states(climb) == ("running", ["passed", "running"])


def test_an_extension_lengthens_the_stage_and_then_its_end_counts(climb: Climb) -> None:
    climb.finish("extend")
    assert climb.advance() is True
    assert states(climb) == ("running", ["running", "pending"])
    run = climb.run(0)
    assert (run.state, run.total_steps) == ("queued", 6000)
    climb.finish("pass")
    climb.advance()
    assert states(climb) == ("running", ["passed", "running"])


def halt_by_rule(climb: Climb) -> None:
    run = climb.run(0)
    with climb.database.write() as session:
        claim = claimed(session, run.id, time.time())
        attempts.mark_running(session, run.id, claim.token, time.time())
        saved(session, claim, 1000, "alert")
        attempts.halt(session, run.id, claim.token, "rule collapse: it fell", time.time())


def test_a_run_that_a_rule_halted_stops_the_ladder_with_its_reason(climb: Climb) -> None:
    halt_by_rule(climb)
    assert climb.advance() is True
    assert "rule collapse: it fell" in climb.ladder().reason


def test_a_run_that_a_person_halted_is_waited_for(climb: Climb) -> None:
    with climb.database.write() as session:
        request_halt(session, climb.run(0).id, time.time())
    assert climb.advance() is False
    assert states(climb)[0] == "running"
    with climb.database.write() as session:
        request_resume(session, climb.run(0).id, time.time())
    climb.finish()
    assert climb.advance() is True


def test_many_advancers_at_once_start_a_stage_once(climb: Climb) -> None:
    climb.finish()
    with ThreadPoolExecutor(6) as pool:
        moved = list(pool.map(lambda _: climb.advance(), range(6)))
    assert moved.count(True) == 1
    assert states(climb) == ("running", ["passed", "running"])
    with climb.database.read() as session:
        assert len(list_runs(session)) == 1
        begun = [e for e in list_events(session, climb.run(0).id) if e.kind == "extend"]
    assert len(begun) == 1


def test_a_person_stops_a_ladder_and_its_run_halts(climb: Climb) -> None:
    with climb.database.write() as session:
        stop_ladder(session, climb.id, "Ada", "the plan was wrong", time.time())
    assert states(climb) == ("stopped", ["stopped", "pending"])
    assert climb.run(0).state == "halted"
    assert "stopped by Ada: the plan was wrong" in climb.ladder().reason
    with climb.database.write() as session, pytest.raises(IllegalTransition, match="nothing to"):
        stop_ladder(session, climb.id, "Ada", "", time.time())


def test_a_stage_that_cannot_start_stops_the_ladder_and_says_why(climb: Climb) -> None:
    climb.finish()
    with climb.database.write() as session:
        run = session.get_one(type(climb.run(0)), climb.run(0).id)
        run.resume_checkpoint_id = None
    climb.advance()
    assert states(climb) == ("stopped", ["passed", "stopped"])
    assert "has no checkpoint to go on from" in climb.ladder().reason


def test_an_unknown_ladder_is_not_found(database: Database) -> None:
    with database.read() as session:
        for number in (1, 2**40):
            with pytest.raises(NotFound):
                get_ladder(session, number)
