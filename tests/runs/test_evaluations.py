"""Evaluations people ask for: asked once, driven by whoever holds the token, answered or given up."""

import pytest

from backend.database import Database
from backend.errors import FencedOff, IllegalTransition, InvalidConfig, NotFound
from backend.runs import attempts, evaluations, service
from backend.runs.attempts import Claim
from backend.runs.parsing import parse_config
from backend.runs.reaper import reap
from backend.workers import service as fleet
from tests.runs.conftest import NOW, claimed, saved


def asked(database: Database, claim: Claim, step: int = 100, episodes: int = 20) -> int:
    """An evaluation of a new checkpoint of the run."""
    with database.write() as session:
        checkpoint = saved(session, claim, step)
        found = evaluations.request_evaluation(session, claim.run_id, checkpoint.id, episodes, NOW)
        return found.id


def taken(database: Database, evaluation_id: int, token: str = "t" * 32) -> bool:
    with database.write() as session:
        found = evaluations.claim_evaluation(session, evaluation_id, "w", token, NOW, 0)
        return found is not None


def state(database: Database, evaluation_id: int) -> str:
    with database.read() as session:
        return session.get_one(evaluations.Evaluation, evaluation_id).state


def test_an_evaluation_is_claimed_once_driven_and_answered(
    database: Database, running: Claim
) -> None:
    evaluation_id = asked(database, running)
    with database.read() as session:
        assert evaluations.queued_evaluations(session) == [evaluation_id]
    assert taken(database, evaluation_id)
    assert taken(database, evaluation_id)  # the same token asks again after a lost answer
    assert not taken(database, evaluation_id, "u" * 32)
    with database.write() as session:
        evaluations.report_evaluation(session, evaluation_id, "t" * 32, 7)
    result = {"success_rate": 0.9, "success_interval": [0.7, 0.97], "return_mean": 5.0}
    for _ in range(2):
        with database.write() as session:
            evaluations.finish_evaluation(session, evaluation_id, "t" * 32, result, NOW)
    with database.read() as session:
        found = evaluations.get_evaluation(session, running.run_id, evaluation_id)
        assert (found.state, found.done, found.success) == ("done", 20, 0.9)
        assert found.interval == (0.7, 0.97)


def test_a_checkpoint_is_evaluated_once_at_a_time_and_never_for_nothing(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        checkpoint = saved(session, running, 100)
    for episodes in (0, 1001):
        with pytest.raises(InvalidConfig, match="between 1 and 1000"), database.write() as session:
            evaluations.request_evaluation(session, running.run_id, checkpoint.id, episodes, NOW)
    with database.write() as session:
        evaluations.request_evaluation(session, running.run_id, checkpoint.id, 3, NOW)
    with pytest.raises(IllegalTransition, match="already"), database.write() as session:
        evaluations.request_evaluation(session, running.run_id, checkpoint.id, 3, NOW)
    with pytest.raises(NotFound), database.write() as session:
        evaluations.request_evaluation(session, running.run_id, checkpoint.id + 1, 3, NOW)


def test_a_cancelled_evaluation_fences_its_driver_off(database: Database, running: Claim) -> None:
    evaluation_id = asked(database, running)
    taken(database, evaluation_id)
    with database.write() as session:
        evaluations.cancel_evaluation(session, running.run_id, evaluation_id, NOW)
    with pytest.raises(FencedOff), database.write() as session:
        evaluations.report_evaluation(session, evaluation_id, "t" * 32, 1)
    with database.write() as session:
        evaluations.leave_evaluation(
            session, evaluation_id, "t" * 32, "exit code 76", NOW, again=False
        )
    assert state(database, evaluation_id) == "cancelled"
    with pytest.raises(IllegalTransition, match="nothing to cancel"), database.write() as session:
        evaluations.cancel_evaluation(session, running.run_id, evaluation_id, NOW)


def test_a_driver_that_dies_fails_it_and_a_worker_that_drains_hands_it_on_three_times(
    database: Database, running: Claim
) -> None:
    crashed, drained = asked(database, running, 1), asked(database, running, 2)
    taken(database, crashed)
    with database.write() as session:
        evaluations.leave_evaluation(session, crashed, "t" * 32, "exit code 1", NOW, again=False)
    assert state(database, crashed) == "failed"
    for expected in ("queued", "queued", "failed"):
        assert taken(database, drained)
        with database.write() as session:
            evaluations.leave_evaluation(session, drained, "t" * 32, "drain", NOW, again=True)
        assert state(database, drained) == expected


def test_the_reaper_hands_on_what_a_dead_worker_held(database: Database, running: Claim) -> None:
    evaluation_id = asked(database, running)
    taken(database, evaluation_id)
    with database.write() as session:
        reap(session, NOW + 5, ttl=10, max_crashes=3)
    assert state(database, evaluation_id) == "running"
    with database.write() as session:
        reap(session, NOW + 11, ttl=10, max_crashes=3)
    assert state(database, evaluation_id) == "queued"


def test_the_files_of_a_checkpoint_that_waits_to_be_evaluated_stay(
    database: Database, running: Claim
) -> None:
    asked(database, running, step=1)
    with database.write() as session:
        for step in (2, 3, 4):
            saved(session, running, step)
        retired = attempts.retire_checkpoints(session, running.run_id, running.token, 1, NOW)
    assert [path.name for path in retired] == ["3", "2"]


def test_driving_needs_a_simulator_of_its_own_and_gives_it_back(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "127.0.0.1", 2000, NOW, "w", "0.9.16")
        run = service.create_run(session, "", "quickstart", parse_config("quickstart"), NOW)
        claim = claimed(session, run.id)
    evaluation_id = asked(database, claim)
    with pytest.raises(Exception, match="no free simulator"), database.write() as session:
        evaluations.claim_evaluation(session, evaluation_id, "w", "t" * 32, NOW, 0)
    assert state(database, evaluation_id) == "queued"
    with database.write() as session:
        fleet.register_simulator(session, "127.0.0.1", 2004, NOW, "w", "0.9.16")
    assert taken(database, evaluation_id)
    with database.write() as session:
        held = [s.port for s in fleet.list_simulators(session) if s.lease_token == "t" * 32]
        assert held == [2004]
        evaluations.leave_evaluation(session, evaluation_id, "t" * 32, "", NOW, again=False)
    with database.read() as session:
        assert not [s for s in fleet.list_simulators(session) if s.lease_token == "t" * 32]
