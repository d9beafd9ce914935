"""Silence is death only after a fair hearing."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.models import Run
from backend.runs.reaper import Reaper, reap
from backend.runs.states import RunState
from backend.workers.service import list_workers, register_simulator, register_worker
from tests.runs.conftest import NOW

Read = Callable[[int], Run]
TTL = 20.0


def test_a_silent_run_is_queued_again_and_its_owner_fenced_off(
    database: Database, running: Claim, run_now: Read
) -> None:
    with database.write() as session:
        assert reap(session, NOW + TTL, TTL, 3) == []
        assert reap(session, NOW + TTL + 1, TTL, 3) == [running.run_id]
    run = run_now(running.run_id)
    assert (run.state, run.crashes) == (RunState.QUEUED, 1)
    assert "no heartbeat for 20 s" in run.state_reason


def test_a_run_that_is_over_is_never_reaped(database: Database, running: Claim) -> None:
    with database.write() as session:
        attempts.finish(session, running.run_id, running.token, NOW)
        assert reap(session, NOW + 10 * TTL, TTL, 3) == []


def test_a_silent_worker_is_struck_off_with_its_own_simulators(database: Database) -> None:
    with database.write() as session:
        register_worker(session, "dead", "h", 1, 1, NOW)
        register_worker(session, "alive", "h", 2, 1, NOW + TTL)
        register_simulator(session, "127.0.0.1", 1, NOW, worker="dead")
        register_simulator(session, "carla", 2000, NOW)
        reap(session, NOW + TTL + 1, TTL, 3)
        assert [w.name for w in list_workers(session)] == ["alive"]
        assert session.execute(text("SELECT host FROM simulators")).scalars().all() == ["carla"]


def test_nobody_is_reaped_within_a_ttl_of_the_reapers_start(
    database: Database, running: Claim
) -> None:
    reaper = Reaper(database, TTL, 3, now=NOW + 100)
    assert reaper.visit(NOW + 100) == []
    assert reaper.visit(NOW + 100 + TTL - 1) == []
    assert reaper.visit(NOW + 100 + TTL) == [running.run_id]


def test_nobody_is_reaped_right_after_the_process_was_frozen(
    database: Database, running: Claim
) -> None:
    reaper = Reaper(database, TTL, 3, now=NOW)
    with database.write() as session:
        attempts.beat(session, running.run_id, running.token, NOW + 25)
    for second in range(0, 30, 5):
        assert reaper.visit(NOW + second) == []
    assert reaper.visit(NOW + 1000) == []
    assert reaper.visit(NOW + 1010) == []
    assert reaper.visit(NOW + 1020) == [running.run_id]


def test_nobody_is_reaped_right_after_the_database_was_away(
    database: Database, running: Claim, run_now: Read
) -> None:
    reaper = Reaper(database, TTL, 3, now=NOW - TTL)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE runs RENAME TO runs_away"))
    assert reaper.visit(NOW - 1) == []
    assert reaper.visit(NOW + 15) == []
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE runs_away RENAME TO runs"))
    assert reaper.visit(NOW + 30) == []
    assert reaper.visit(NOW + 36) == [running.run_id]
    assert run_now(running.run_id).state == RunState.QUEUED


def test_a_reaped_run_is_taken_up_where_it_was(database: Database, running: Claim) -> None:
    with pytest.raises(AssertionError), database.write() as session:
        reap(session, NOW + TTL + 1, TTL, 3)
        assert attempts.claim(session, running.run_id, "w", NOW + TTL + 1) is not None
    with database.write() as session:
        reap(session, NOW + TTL + 1, TTL, 3)
        assert attempts.claim(session, running.run_id, "w", NOW + TTL + 2) is not None
        assert service.get_run(session, running.run_id).attempt == 2
