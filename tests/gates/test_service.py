"""Judgements in the database: statuses, flips, events, and what people accept."""

import math

import pytest
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import IllegalTransition, InvalidConfig, NotFound
from backend.gates import service
from backend.gates.engine import GateEngine
from backend.rules.presets import PRESETS
from backend.runs.events import list_events
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from tests.rules.scripted import FACTS, Script, explored, healthy_samples

NOW = 1_000.0


def new_run(session: Session) -> Run:
    run = create_run(session, "drop", "quickstart", parse_config("quickstart"), NOW)
    session.flush()
    return run


def dropped(episodes: int = 10) -> GateEngine:
    engine = GateEngine(FACTS)
    engine.observe(explored().episodes([20.0] * episodes).points)
    return engine


def test_a_judgement_is_stored_with_its_rules_in_order(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped().evaluate(1_501), NOW)
    with database.read() as session:
        current = service.current(session, run.id, NOW)
    assert current.verdict == "conditional-go"
    assert current.since_step == 1_500
    assert current.sentence.startswith("CONDITIONAL GO since step 1,500")
    assert [status.rule for status in current.rules][:2] == ["transition", "policy_head_share"]
    assert current.rules[0].state == "warning"
    assert current.rules[0].first_warning == 1_500
    assert current.rules[0].evidence["reference_mean"] == 100


def test_flips_are_appended_and_alerts_told_as_events(database: Database) -> None:
    engine = dropped()
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, engine.evaluate(1_501), NOW)
        service.save_judgement(session, run.id, None, engine.evaluate(1_600), NOW + 1)
    with database.read() as session:
        flips = service.flips(session, run.id)
        events = [e for e in list_events(session, run.id) if e.kind in ("rule", "verdict")]
    assert [flip.rule for flip in flips if flip.after in ("warning", "conditional-go")] == [
        "verdict",
        "transition",
    ]
    assert {flip.preset for flip in flips} == {"behavioural"}
    assert {flip.preset_version for flip in flips} == {PRESETS["behavioural"].version}
    assert [(event.kind, event.level, event.step) for event in events] == [
        ("rule", "warning", 1_500),
        ("verdict", "warning", 1_500),
    ]


def test_going_back_is_recorded_as_a_flip(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped(40).evaluate(3_100), NOW)
        resumed = GateEngine(FACTS)
        resumed.warm_up(explored().episodes([20.0] * 12).points)
        service.save_judgement(session, run.id, None, resumed.evaluate(1_600), NOW + 60)
    with database.read() as session:
        newest = service.flips(session, run.id, limit=3)
    assert {(flip.rule, flip.before, flip.after, flip.step) for flip in newest} >= {
        ("transition", "critical", "warning", 1_600),
        ("verdict", "no-go", "conditional-go", 1_600),
    }


def test_numbers_that_are_not_finite_are_stored(database: Database) -> None:
    engine = GateEngine(FACTS)
    broken = healthy_samples(3, learner__critic_loss=math.nan, learner__actor_q_mean=1e9)
    broken[2]["learner/q1_mean"] = math.inf
    engine.observe(Script().samples(broken).points)
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, engine.evaluate(1_400), NOW)
    with database.read() as session:
        rules = {r.rule: r for r in service.current(session, run.id, NOW).rules}
    assert rules["non_finite"].state == "critical"
    assert "learner/critic_loss" in rules["non_finite"].reason
    assert rules["impossible_q"].value is None


def test_a_condition_is_accepted_with_who_why_and_what_stood(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped().evaluate(1_501), NOW)
        service.accept(
            session, run.id, "transition", "Ada", "fresh policy", NOW, expires_at=NOW + 10
        )
    with database.read() as session:
        (accepted,) = service.current(session, run.id, NOW + 10).accepted
        assert service.current(session, run.id, NOW + 11).accepted == []
        assert len(service.acceptances(session, run.id)) == 1
    assert (accepted.person, accepted.reason) == ("Ada", "fresh policy")
    assert accepted.evidence["value"] == 20


def test_an_acceptance_expires_at_its_step(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped().evaluate(1_501), NOW)
        service.accept(session, run.id, "transition", "Ada", "wait", NOW, expires_step=5_000)
        assert len(service.current(session, run.id, NOW).accepted) == 1
        run.step = 5_001
        session.flush()
        assert service.current(session, run.id, NOW).accepted == []


def test_the_last_acceptance_of_a_rule_counts_until_the_rule_is_critical(
    database: Database,
) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped().evaluate(1_501), NOW)
        for reason, end in (("first", None), ("second", 5_000)):
            service.accept(session, run.id, "transition", "Ada", reason, NOW, expires_step=end)
        (counts,) = service.current(session, run.id, NOW).accepted
        assert counts.reason == "second"
        assert service.who_accepted(session, run.id, NOW) == "Ada: second"
        run.step = 5_001
        assert service.current(session, run.id, NOW).accepted == []
        assert service.who_accepted(session, run.id, NOW) == ""
        run.step = 3_001
        service.save_judgement(session, run.id, None, dropped(40).evaluate(3_001), NOW)
        assert service.current(session, run.id, NOW).accepted == []


def test_only_a_warning_can_be_accepted(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        service.save_judgement(session, run.id, None, dropped(40).evaluate(3_001), NOW)
        with pytest.raises(IllegalTransition, match="transition is critical"):
            service.accept(session, run.id, "transition", "Ada", "it will be fine", NOW)
        with pytest.raises(NotFound, match="no rule 'luck'"):
            service.accept(session, run.id, "luck", "Ada", "please", NOW)
        with pytest.raises(InvalidConfig, match="say who accepts"):
            service.accept(session, run.id, "transition", " ", "please", NOW)


def test_the_verdict_of_a_run_that_does_not_exist_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound, match="Run 7"):
        service.current(session, 7, NOW)
