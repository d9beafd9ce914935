"""Rules that people give a run: under way, they are taken up; over, it is judged again; nothing is rewritten."""

import pytest

from backend.database import Database
from backend.errors import InvalidConfig, NotFound
from backend.gates import service
from backend.gates.choice import choices, choose_rules
from backend.gates.engine import GateEngine
from backend.gates.presets import load_preset, save_preset
from backend.gates.stored import preset_of, verdict_document, warm_engine
from backend.rules.presets import PRESETS
from backend.rules.rule import RuleAction
from backend.runs.events import list_events
from backend.runs.service import get_run
from tests.gates.test_stored import config, stored_run
from tests.rules.scripted import FACTS, explored, healthy_samples

NOW = 1_000.0
Q_HIGH = {
    "name": "q-high",
    "kind": "threshold",
    "metric": "learner/q1_mean",
    "limit": 5,
    "level": "critical",
    "action": "halt",
}
STRICT = {"name": "strict", "parameters": {"transition": {"steps": 200, "episodes": 4}}}
POINTS = explored().episodes([20.0] * 15).samples(healthy_samples(5)).points


def finished(database: Database) -> int:
    """A run that is over, judged by the rules it began with: its transition rule warned."""
    engine = GateEngine.for_config(config())
    engine.observe(POINTS)
    with database.write() as session:
        run = stored_run(session, POINTS)
        run.step, run.state = 1_750, "finished"
        judgement = engine.evaluate(1_750, final=True)
        service.save_judgement(session, run.id, run.segment_id, judgement, NOW)
        save_preset(session, {**STRICT, "custom": [Q_HIGH]}, "Ada", NOW)
        return run.id


def test_an_engine_goes_on_with_other_rules_as_if_they_had_judged_from_the_start(
    database: Database,
) -> None:
    with database.write() as session:
        strict = save_preset(session, {**STRICT, "custom": [Q_HIGH]}, "Ada", NOW)
    seen = [point for point in POINTS if point[1] <= 1_600]
    changed, fresh = GateEngine(FACTS), GateEngine(FACTS, strict)
    for engine in (changed, fresh):
        engine.observe(seen)
    assert changed.evaluate(1_601).verdict == "conditional-go"
    changed.adopt(strict, seen)
    turned = changed.evaluate(1_601)
    assert (turned.preset, turned.preset_version, turned.verdict) == ("strict", 1, "no-go")
    assert [(r.rule, r.action) for r in turned.requests] == [("q-high", RuleAction.HALT)]
    told = {flip.rule: flip for flip in turned.flips}
    assert told["verdict"].before == "conditional-go"
    assert told["verdict"].reason.startswith("Judged by strict@1 from now on. NO-GO since step")
    rest = [point for point in POINTS if point[1] > 1_600]
    for engine in (changed, fresh):
        engine.evaluate(1_601)
        engine.observe(rest)
    states = [engine.evaluate(1_750, final=True).rules for engine in (changed, fresh)]
    assert states[0] == states[1]


def test_a_run_that_is_over_is_judged_again_and_what_was_said_stays(database: Database) -> None:
    run_id = finished(database)
    with database.read() as session:
        before = [flip.id for flip in service.flips(session, run_id)]
        assert service.current(session, run_id, NOW).judged_by.startswith("behavioural@")
    with database.write() as session:
        choose_rules(session, run_id, "strict", "Ada", NOW + 1)
    with database.read() as session:
        run = get_run(session, run_id)
        assert (run.verdict, run.judged_by, run.desired) == ("no-go", "strict@1", "run")
        flips = service.flips(session, run_id)
        newest = [flip for flip in flips if flip.id not in before]
        assert [flip.id for flip in flips if flip.id in before] == before
        assert {(flip.preset, flip.preset_version) for flip in newest} == {("strict", 1)}
        assert {"verdict", "transition", "q-high"} <= {flip.rule for flip in newest}
        assert verdict_document(session, run_id)["preset"] == "strict"
        (choice,) = choices(session, run_id)
        assert (choice.preset, choice.person, choice.step) == ("strict@1", "Ada", 1_750)
        events = [event.message for event in list_events(session, run_id) if event.kind == "rules"]
        assert events == ["Ada has the run judged by strict@1 from step 1,750 on"]


def test_a_later_version_counts_once_it_is_chosen_and_the_next_attempt_begins_with_it(
    database: Database,
) -> None:
    run_id = finished(database)
    with database.write() as session:
        choose_rules(session, run_id, "strict@1", "Ada", NOW)
        save_preset(session, {**STRICT, "custom": []}, "Ada", NOW)
        assert preset_of(session, get_run(session, run_id)) == "strict@1"
        choose_rules(session, run_id, "strict", "Bo", NOW)
    with database.read() as session:
        assert [choice.preset for choice in choices(session, run_id)] == ["strict@2", "strict@1"]
        assert warm_engine(session, run_id).judge.preset == load_preset(session, "strict@2")
        gone = next(f for f in service.flips(session, run_id) if f.rule == "q-high")
        assert (gone.after, gone.reason) == ("no-data", "It is none of the rules of strict@2.")


def test_rules_that_cannot_be_given_are_refused(database: Database) -> None:
    run_id = finished(database)
    with database.write() as session:
        with pytest.raises(NotFound, match="choose from behavioural, founding, strict@1"):
            choose_rules(session, run_id, "nobody", "Ada", NOW)
        with pytest.raises(InvalidConfig, match="say who changes the rules"):
            choose_rules(session, run_id, "founding", " ", NOW)
        with pytest.raises(InvalidConfig, match="by behavioural already"):
            choose_rules(session, run_id, "behavioural", "Ada", NOW)
        run = get_run(session, run_id)
        run.config = {**run.config, "halt_on": ["collapse"]}
        with pytest.raises(InvalidConfig, match="'collapse' is no rule of founding"):
            choose_rules(session, run_id, "founding", "Ada", NOW)
    with database.read() as session:
        assert choices(session, run_id) == []
        assert load_preset(session, f"founding@{PRESETS['founding'].version}").name == "founding"


def test_a_rule_that_is_critical_already_does_once_what_people_now_have_it_do(
    database: Database,
) -> None:
    noted = {**Q_HIGH, "action": "note"}
    with database.write() as session:
        first = save_preset(session, {**STRICT, "custom": [noted]}, "Ada", NOW)
        second = save_preset(session, {**STRICT, "custom": [Q_HIGH]}, "Ada", NOW)
    engine = GateEngine(FACTS, first)
    engine.observe(POINTS)
    assert RuleAction.HALT not in engine.evaluate(1_751).actions
    engine.adopt(second, POINTS)
    turned = engine.evaluate(1_751)
    assert [(r.rule, r.action) for r in turned.requests] == [("q-high", RuleAction.HALT)]
    assert turned.flips == ()
    engine.adopt(second, POINTS)
    assert engine.evaluate(1_751).requests == ()


def test_an_attempt_takes_up_rules_chosen_after_the_last_flush_and_the_next_asks_nothing_again(
    database: Database,
) -> None:
    noted = {**Q_HIGH, "action": "note"}
    with database.write() as session:
        save_preset(session, {**STRICT, "custom": [noted]}, "Ada", NOW)
        save_preset(session, {**STRICT, "custom": [Q_HIGH]}, "Ada", NOW)
        run = stored_run(session, POINTS)
        run.step, run.state, run.config = 1_750, "running", {**run.config, "rules": "strict@1"}
        judgement = warm_engine(session, run.id).evaluate(1_750, final=True)
        service.save_judgement(session, run.id, run.segment_id, judgement, NOW)
        choose_rules(session, run.id, "strict@2", "Ada", NOW)
        taken_up = warm_engine(session, run.id).evaluate(1_750, final=True)
        assert [(r.rule, r.action) for r in taken_up.requests] == [("q-high", RuleAction.HALT)]
        service.save_judgement(session, run.id, run.segment_id, taken_up, NOW)
        assert warm_engine(session, run.id).evaluate(1_750, final=True).requests == ()
