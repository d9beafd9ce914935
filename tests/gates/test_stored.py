"""Verdicts out of the database, through the code the worker runs."""

import json
import math

import pytest
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import NotFound
from backend.gates.engine import GateEngine
from backend.gates.presets import save_preset
from backend.gates.stored import backtest, verdict_document, warm_engine
from backend.metrics.store import append
from backend.rules.moment import Point
from backend.runs.config import RunConfig
from backend.runs.models import Run, Segment
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from tests.rules.scripted import explored, healthy_samples

OVER = {"learner__actor_q_mean": 45.0}


def config() -> RunConfig:
    return parse_config("quickstart")


def stored_run(session: Session, points: list[Point], name: str = "run") -> Run:
    run = create_run(session, name, "quickstart", config(), 1.0)
    segment = Segment(run_id=run.id, number=1, created_at=1.0)
    session.add(segment)
    session.flush()
    run.segment_id = segment.id
    append(session, segment.id, sorted(points, key=lambda point: point[1]))
    return run


def dying() -> list[Point]:
    script = explored().episodes([20.0] * 40)
    return script.samples(healthy_samples(5) + healthy_samples(14, **OVER)).points


def test_a_stored_run_gets_the_verdict_its_worker_gave(database: Database) -> None:
    points = sorted(dying(), key=lambda point: point[1])
    engine = GateEngine.for_config(config())
    for start in range(0, len(points), 7):
        engine.observe(points[start : start + 7])
        engine.evaluate(0)
    live = engine.evaluate(0, final=True)
    with database.write() as session:
        run = stored_run(session, points)
        found = verdict_document(session, run.id)
    assert found["verdict"] == live.verdict == "no-go"
    assert found["since_step"] == live.since_step
    assert found["sentence"] == live.sentence
    first = {rule["name"]: rule["first"] for rule in found["rules"]}
    assert first == {
        rule.name: {"warning": rule.first_warning, "critical": rule.first_critical}
        for rule in live.rules
    }


def test_the_document_is_json_with_every_promised_key(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, [*dying(), ("learner/critic_loss", 3_000, 60, 1.0, math.nan)])
        found = json.loads(json.dumps(verdict_document(session, run.id), allow_nan=False))
    assert {"verdict", "since_step", "history", "rules", "sentence", "preset"} <= found.keys()
    assert found["history"][0] == {"step": 50, "verdict": "too-early", "rules": []}
    assert {
        "name",
        "state",
        "value",
        "threshold",
        "since_step",
        "first",
        "can_fire",
        "reason",
    } <= found["rules"][0].keys()


def test_a_verdict_of_the_past_leaves_out_what_came_after(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, dying())
        assert verdict_document(session, run.id, at=1_400)["verdict"] == "too-early"
        assert verdict_document(session, run.id, at=1_550)["verdict"] == "conditional-go"


def test_another_preset_may_judge_a_stored_run(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, dying())
        founding = verdict_document(session, run.id, "founding")
        save_preset(
            session, {"name": "lax", "parameters": {"transition": {"steps": 99_999}}}, "Ada", 1.0
        )
        lax = verdict_document(session, run.id, "lax")
        with pytest.raises(NotFound, match="no rule preset 'nope'"):
            verdict_document(session, run.id, "nope")
    assert founding["verdict"] == "go"
    assert (lax["preset"], lax["preset_version"]) == ("lax", 1)
    transition = next(rule for rule in lax["rules"] if rule["name"] == "transition")
    assert transition["first"]["critical"] is None


def test_an_attempt_starts_warm_from_the_stored_lineage(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, dying())
        branch = Segment(
            run_id=run.id,
            number=2,
            parent_id=run.segment_id,
            checkpoint_id=1,
            start_step=1_600,
            created_at=2.0,
        )
        session.add(branch)
        session.flush()
        run.segment_id = branch.id
        judgement = warm_engine(session, run.id).evaluate(1_600)
    assert judgement.verdict == "conditional-go"
    assert judgement.flips == ()
    assert judgement.requests == ()


def test_a_backtest_tells_where_each_rule_fires_and_what_it_saves(database: Database) -> None:
    healthy = explored().episodes([150.0] * 40).samples(healthy_samples(20)).points
    with database.write() as session:
        dead, well = stored_run(session, dying(), "dead"), stored_run(session, healthy, "well")
        table = backtest(session, [dead.id, well.id], "behavioural")
    first, second = table["runs"]
    assert first["run"]["name"] == "dead"
    assert first["no_go_from"] == first["rules"]["over_estimation"]["critical"] == 1_800
    assert first["steps_saved"] == 3_000 - first["no_go_from"]
    assert (second["no_go_from"], second["steps_saved"]) == (None, None)
    assert second["verdict"] == "go"
