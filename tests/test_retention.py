"""Runs that ended long ago go by themselves where that is wanted, and nothing that somebody holds on to."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.ladders.models import Ladder, LadderStage
from backend.retention import DAY, HOUR, Retention, expired
from backend.runs.models import Run, Segment
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from backend.settings import Settings

NOW = 1_000 * DAY


def ended(session: Session, days_ago: float, state: str = "finished") -> int:
    run = create_run(session, "", "quickstart", parse_config("quickstart"), NOW - 50 * DAY)
    run.state = state
    run.ended_at = NOW - days_ago * DAY if state == "finished" else None
    segment = Segment(run_id=run.id, number=1, created_at=NOW)
    session.add(segment)
    session.flush()
    run.segment_id = segment.id
    return run.id


def left(database: Database) -> set[int]:
    with database.read() as session:
        return set(session.scalars(select(Run.id)))


def saved(session: Session, run_id: int, *, pinned: bool) -> None:
    segment = session.get_one(Run, run_id).segment_id
    session.add(
        Checkpoint(
            run_id=run_id, segment_id=segment, kind="manual", step=1, episode=0, path="", bytes=0,
            sha256="0" * 64, created_at=NOW, pinned=pinned,
        )
    )  # fmt: skip


def test_what_ended_long_ago_goes_with_its_files_and_the_rest_stays(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, keep_days=30)
    with database.write() as session:
        old, young, running = (
            ended(session, 31), ended(session, 29), ended(session, 99, state="running")
        )  # fmt: skip
        saved(session, old, pinned=False)
    folder = settings.folders_of(old)[0]
    folder.mkdir(parents=True)
    assert Retention(settings)(database, NOW) == [old]
    assert left(database) == {young, running}
    assert not folder.exists()


def test_a_log_of_long_ago_stays_from_its_import_on(database: Database) -> None:
    with database.write() as session:
        run_id = ended(session, 99)
        session.get_one(Run, run_id).created_at = NOW - 2 * DAY
    with database.read() as session:
        assert expired(session, NOW - 30 * DAY) == []
        assert expired(session, NOW - DAY) == [run_id]


def test_a_pinned_checkpoint_and_a_ladder_under_way_keep_their_runs(
    database: Database, tmp_path: Path
) -> None:
    with database.write() as session:
        pinned, climbing, climbed = (ended(session, 99) for _ in range(3))
        saved(session, pinned, pinned=True)
        for run_id, state in ((climbing, "waiting"), (climbed, "passed")):
            ladder = Ladder(name="l", state=state, created_at=NOW)
            session.add(ladder)
            session.flush()
            session.add(
                LadderStage(
                    ladder_id=ladder.id, position=0, name="s", plan={}, state=state, run_id=run_id
                )
            )
    assert Retention(Settings(data=tmp_path, keep_days=30))(database, NOW) == [climbed]
    assert left(database) == {pinned, climbing}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_it_looks_once_an_hour_and_never_where_nothing_was_said(
    database: Database, tmp_path: Path
) -> None:
    retention = Retention(Settings(data=tmp_path, keep_days=30))
    assert retention(database, NOW) == []
    with database.write() as session:
        old = ended(session, 99)
    assert Retention(Settings(data=tmp_path))(database, NOW) == []
    assert retention(database, NOW + HOUR - 1) == []
    assert retention(database, NOW + HOUR) == [old]
