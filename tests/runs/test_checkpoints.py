"""Which checkpoints stay: the newest, the best, the pinned, and those somebody needs."""

from pathlib import Path

from backend.checkpoints.service import list_checkpoints, pin
from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from tests.runs.conftest import NOW, saved


def retire(database: Database, claim: Claim, keep: int) -> list[Path]:
    with database.write() as session:
        return attempts.retire_checkpoints(session, claim.run_id, claim.token, keep, NOW)


def test_only_the_newest_interval_checkpoints_are_kept(database: Database, running: Claim) -> None:
    with database.write() as session:
        for step in (1, 2, 3, 4, 5):
            saved(session, running, step)
    assert retire(database, running, keep=2) == [Path(f"/checkpoints/{s}") for s in (3, 2, 1)]
    assert retire(database, running, keep=2) == []
    with database.read() as session:
        assert [c.step for c in list_checkpoints(session, running.run_id)] == [5, 4]
        assert len(list_checkpoints(session, running.run_id, include_deleted=True)) == 5


def test_best_pinned_and_asked_for_stay_beyond_their_number(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        best = saved(session, running, 1, kind="best", is_best=True)
        pinned, wanted = saved(session, running, 2), saved(session, running, 3)
        by_hand = saved(session, running, 4, kind="manual")
        saved(session, running, 5)
        last = saved(session, running, 6)
        pin(session, running.run_id, pinned.id, True)
        service.request_rollback(session, running.run_id, wanted.id, NOW)
    assert retire(database, running, keep=1) == [Path("/checkpoints/5")]
    with database.read() as session:
        kept = {c.id for c in list_checkpoints(session, running.run_id)}
    assert kept == {best.id, pinned.id, wanted.id, by_hand.id, last.id}


def test_a_new_best_takes_the_mark_and_the_old_one_rolls_off(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        old = saved(session, running, 1, kind="best", is_best=True)
        new = saved(session, running, 2, kind="best", is_best=True)
        saved(session, running, 3)
    with database.read() as session:
        marks = {c.id: c.is_best for c in list_checkpoints(session, running.run_id)}
    assert (marks[old.id], marks[new.id]) == (False, True)
    assert retire(database, running, keep=1) == [Path("/checkpoints/1")]
