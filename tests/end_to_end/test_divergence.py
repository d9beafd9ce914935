"""A run that diverges, with no server at all: the rules in its trainer take it back and halt it."""

from pathlib import Path

import pytest
from sqlalchemy import select

import migrations
from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.gates.service import flips
from backend.metrics.store import read_points
from backend.runs.events import list_events
from backend.runs.models import Segment
from backend.runs.parsing import parse_config
from backend.runs.states import RunState
from backend.settings import Settings
from worker.foreground import train_in_foreground

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

DIVERGING = {
    "environment": "gymnasium:Pendulum-v1",
    "total_steps": 100_000,
    "hidden_sizes": [16],
    "batch_size": 16,
    "learning_starts": 200,
    "evaluation_interval": 0,
    "random_reference_episodes": 0,
    "actor_learning_rate": 1.0,
    "critic_learning_rate": 1.0,
    "rollback_limit": 1,
    "rollback_learning_rate_factor": 0.9,
}


def test_a_run_with_a_learning_rate_of_1_is_rolled_back_and_halted_by_itself(
    tmp_path: Path,
) -> None:
    settings = Settings(data=tmp_path)
    migrations.upgrade(settings.resolved_database_url)
    config = parse_config("quickstart", DIVERGING)
    run = train_in_foreground(settings, "diverging", "quickstart", config, lambda run: None)
    assert run.state == RunState.HALTED
    assert run.verdict == "no-go"
    assert "rolled back 1 times already: a person has to look" in run.state_reason
    assert run.learning_rate_factor == pytest.approx(0.9)
    database = Database(settings.resolved_database_url)
    with database.read() as session:
        segments = session.scalars(select(Segment).order_by(Segment.number)).all()
        assert [s.reason for s in segments] == ["start", "rule-rollback"]
        verdicts = {c.id: c.verdict for c in list_checkpoints(session, run.id)}
        assert all(verdicts[s.checkpoint_id or 0] != "no-go" for s in segments[1:])
        assert "no-go" in {flip.after for flip in flips(session, run.id)}
        rates = read_points(session, run.id, "learner/actor_learning_rate").value
        assert rates[-1] == pytest.approx(0.9)
        assert "rollback" in {event.kind for event in list_events(session, run.id)}
    database.close()
