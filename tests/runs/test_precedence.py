"""Who goes first: a run that was under way keeps its slot, new runs queue in order."""

from backend.database import Database
from backend.runs import attempts
from backend.runs.dispatcher import claimable
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, interrupted_on, request_halt

NOW = 1000.0
CONFIG = parse_config("quickstart", {"environment": "gymnasium:Pendulum-v1"})


def queued(database: Database) -> int:
    with database.write() as session:
        return create_run(session, "", "quickstart", CONFIG, NOW).id


def crash(database: Database, run_id: int, worker: str) -> None:
    with database.write() as session:
        claim = attempts.claim(session, run_id, worker, NOW)
        assert claim is not None
        attempts.crashed(session, run_id, claim.token, "killed", NOW, 5)


def test_a_crashed_run_is_hinted_before_runs_that_wait_longer(database: Database) -> None:
    waiting, crashed = queued(database), queued(database)
    crash(database, crashed, "w")
    with database.read() as session:
        assert claimable(session, NOW) == [waiting]
        assert claimable(session, NOW + 60) == [crashed, waiting]


def test_the_worker_of_a_crashed_run_keeps_its_slot_through_the_back_off(
    database: Database,
) -> None:
    run_id = queued(database)
    with database.read() as session:
        assert not interrupted_on(session, "w")
    crash(database, run_id, "w")
    with database.read() as session:
        assert interrupted_on(session, "w")
        assert not interrupted_on(session, "another")


def test_a_crashed_run_that_was_halted_keeps_nobody_waiting(database: Database) -> None:
    run_id = queued(database)
    crash(database, run_id, "w")
    with database.write() as session:
        request_halt(session, run_id, NOW)
        assert not interrupted_on(session, "w")
