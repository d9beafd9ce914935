"""Forks: what they take over, what they may change, and what they leave alone."""

from pathlib import Path

import pytest

from backend.checkpoints.service import get_checkpoint
from backend.database import Database
from backend.errors import IllegalTransition, InvalidConfig
from backend.metrics import store
from backend.metrics.lineage import lineage_of
from backend.runs import attempts, external, service
from backend.runs.attempts import Claim
from backend.runs.config import RunConfig
from backend.runs.forks import FIXED_FIELDS, fork_run, is_fixed
from backend.runs.parsing import changed_config
from tests.runs.conftest import NOW, claimed, saved


def fork(database: Database, claim: Claim, checkpoint_id: int, **changes: object) -> int:
    with database.write() as session:
        source = service.get_run(session, claim.run_id)
        config = changed_config(source.config, changes)
        return fork_run(session, claim.run_id, checkpoint_id, "", config, NOW).id


def points(claim: Claim, database: Database, steps: range, value: float) -> None:
    with database.write() as session:
        rows = [("episode/return", step, step // 10, NOW + step, value) for step in steps]
        store.append(session, claim.segment_id, rows)


def test_a_fork_starts_at_the_checkpoint_and_its_charts_begin_with_its_source(
    database: Database, running: Claim
) -> None:
    points(running, database, range(0, 100, 10), 1.0)
    with database.write() as session:
        checkpoint = saved(session, running, 50)
    run_id = fork(database, running, checkpoint.id, actor_learning_rate=1e-5, seed=9)
    with database.write() as session:
        run = service.get_run(session, run_id)
        assert (run.state, run.step, run.config["seed"]) == ("queued", 50, 9)
        own = claimed(session, run_id)
    points(own, database, range(60, 90, 10), 2.0)
    with database.read() as session:
        found = store.read_points(session, run_id, "episode/return")
        assert found.step.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80]
        assert found.value.tolist() == [1.0] * 6 + [2.0] * 3
        assert lineage_of(session, run_id).abandoned == ()
        source = store.read_points(session, running.run_id, "episode/return")
        assert source.value.tolist() == [1.0] * 10
        assert get_checkpoint(session, running.run_id, checkpoint.id).pinned


@pytest.mark.parametrize(
    ("changes", "factor"), [({"seed": 9}, 0.3), ({"critic_learning_rate": 1e-5}, 1.0)]
)
def test_what_rollbacks_left_of_the_learning_rates_stays_on_equal_ones(
    database: Database, running: Claim, changes: dict[str, object], factor: float
) -> None:
    with database.write() as session:
        checkpoint = saved(session, running, 50)
        service.get_run(session, running.run_id).learning_rate_factor = 0.3
    run_id = fork(database, running, checkpoint.id, **changes)
    with database.read() as session:
        assert service.get_run(session, run_id).learning_rate_factor == factor


def test_a_fork_of_a_fork_goes_back_to_the_first(database: Database, running: Claim) -> None:
    points(running, database, range(0, 100, 10), 1.0)
    with database.write() as session:
        first = saved(session, running, 50)
    child = fork(database, running, first.id)
    with database.write() as session:
        claim = claimed(session, child)
        attempts.mark_running(session, child, claim.token, NOW)
        second = saved(session, claim, 70)
    points(claim, database, range(60, 100, 10), 2.0)
    grandchild = fork(database, claim, second.id)
    with database.write() as session:
        claimed(session, grandchild)
    with database.read() as session:
        found = store.read_points(session, grandchild, "episode/return")
    assert found.value.tolist() == [1.0] * 6 + [2.0] * 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hidden_sizes": [32]}, "hidden_sizes"),
        ({"environment": "gymnasium:MountainCarContinuous-v0"}, "environment"),
        ({"buffer_size": 99_999}, "buffer_size"),
        ({"reward_progress": 9.0}, "reward_progress"),
        ({"total_steps": 1500}, "total_steps"),
    ],
)
def test_what_the_saved_state_would_not_fit_is_refused_with_the_remedy(
    database: Database, running: Claim, changes: dict[str, object], field: str
) -> None:
    with database.write() as session:
        checkpoint = saved(session, running, 2000)
    with pytest.raises(InvalidConfig) as refused:
        fork(database, running, checkpoint.id, **changes)
    assert field in refused.value.fields
    with database.read() as session:
        assert len(service.list_runs(session)) == 1
        assert not get_checkpoint(session, running.run_id, checkpoint.id).pinned


def test_a_run_trained_elsewhere_cannot_be_forked(database: Database) -> None:
    with database.write() as session:
        run = external.create_external(session, "theirs", {}, "a" * 32, "host", NOW)
        with pytest.raises(IllegalTransition, match="keeps its own checkpoints"):
            checkpoint = attempts.record_checkpoint(
                session,
                run.id,
                "a" * 32,
                "manual",
                step=1,
                episode=0,
                updates=0,
                path=Path("/theirs"),
                size=1,
                sha256="0" * 64,
                now=NOW,
            )
            fork_run(session, run.id, checkpoint.id, "", RunConfig(), NOW)


def test_every_fixed_field_is_a_field() -> None:
    assert all(name in RunConfig.model_fields for name in FIXED_FIELDS)
    assert is_fixed("reward_goal")
    assert is_fixed("camera_width")
    assert not is_fixed("actor_learning_rate")
