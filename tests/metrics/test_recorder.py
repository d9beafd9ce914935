"""The recorder loses nothing and doubles nothing, whatever the database does meanwhile."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import FencedOff
from backend.metrics.store import Point, append, latest, read_points
from tests.metrics.conftest import MakeRun, MakeSegment
from worker.recorder import Recorder, RecorderFailed
from worker.spool import Batch, Spool

Failure = Callable[[], Exception]


@pytest.fixture
def run(database: Database, make_run: MakeRun, make_segment: MakeSegment) -> tuple[int, int]:
    with database.write() as session:
        run_id = make_run(session)
        return run_id, make_segment(session, run_id)


class Away:
    """Cuts the database off: every transaction fails, before or right after its commit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.before = self.after = False
        event.listen(database.engine, "begin", self._begin)
        self._commit = database.write

    def _begin(self, _connection: object) -> None:
        if self.before:
            raise OperationalError("BEGIN", None, Exception("server closed the connection"))


@pytest.fixture
def away(database: Database) -> Iterator[Away]:
    away = Away(database)
    yield away
    event.remove(database.engine, "begin", away._begin)


def nothing(_session: Session, _points: Sequence[Point], _now: float) -> None:
    pass


def steps(database: Database, run_id: int, metric: str = "m") -> list[int]:
    with database.read() as session:
        return [int(step) for step in read_points(session, run_id, metric).step]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_added_is_in_the_database_after_a_flush(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    recorder = Recorder(database, run[1], tmp_path / "spool", nothing)
    for step in range(1, 2001):
        recorder.add({"m": step * 1.0, "n": math.nan}, step, step // 100)
    assert recorder.flush()

    assert steps(database, run[0]) == list(range(1, 2001))
    with database.read() as session:
        assert latest(session, run[0])["n"][1:3] == (2000, 20)
    assert recorder.close()


def test_points_and_what_ships_with_them_stand_or_fall_together(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    def ship(session: Session, points: Sequence[Point], _now: float) -> None:
        session.execute(text("UPDATE runs SET step = :step"), {"step": points[-1][1]})
        raise RuntimeError("a bug in what ships")

    recorder = Recorder(database, run[1], tmp_path / "spool", ship)
    recorder.add({"m": 1.0}, 7, 0)
    with pytest.raises(RecorderFailed, match="a bug in what ships"):
        recorder.flush()

    assert steps(database, run[0]) == []
    with pytest.raises(RecorderFailed):
        recorder.add({"m": 1.0}, 8, 0)
    with pytest.raises(RecorderFailed):
        recorder.close()


def test_a_transaction_ships_every_interval_without_points_too(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    beats: list[float] = []
    recorder = Recorder(
        database,
        run[1],
        tmp_path / "spool",
        lambda _session, _points, now: beats.append(now),
        interval=0.01,
    )
    wait_for(lambda: len(beats) > 3)
    assert recorder.close()


def test_a_fenced_off_recorder_stops_for_good_and_writes_nothing(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    def ship(_session: Session, _points: Sequence[Point], _now: float) -> None:
        raise FencedOff("attempt 2 owns the run")

    recorder = Recorder(database, run[1], tmp_path / "spool", ship)
    recorder.add({"m": 1.0}, 1, 0)

    assert not recorder.flush()
    assert recorder.fenced
    recorder.add({"m": 1.0}, 2, 0)
    assert not recorder.close()
    assert steps(database, run[0]) == []


def test_with_the_database_away_points_wait_on_disk_and_catch_up_in_order(
    database: Database, run: tuple[int, int], tmp_path: Path, away: Away
) -> None:
    told: list[str] = []
    judged: list[int] = []
    behind: list[int] = []
    recorder = Recorder(
        database,
        run[1],
        tmp_path / "spool",
        lambda session, _points, _now: behind.append(40 - len(read_points(session, run[0], "m"))),
        judge=lambda points, _now: judged.extend(point[1] for point in points),
        alert=told.append,
        interval=0.01,
    )
    away.before = True
    for step in range(1, 41):
        recorder.add({"m": 1.0}, step, 0)
        time.sleep(0.005)
    wait_for(lambda: judged == list(range(1, 41)))
    assert recorder.outage
    assert any((tmp_path / "spool").iterdir())
    away.before = False
    assert recorder.flush(timeout=20)

    assert steps(database, run[0]) == list(range(1, 41))
    assert behind[-1] == 0
    assert "is away" in told[0]
    # The last points may find the database back and never wait on disk.
    assert "points caught up, 0 lost" in told[1]
    assert recorder.outage is None
    assert recorder.close()
    assert not (tmp_path / "spool").exists()


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    lost = [True]
    shipped: list[int] = []
    confirmed: list[int] = []

    def lose_the_answer(_session: Session) -> None:
        if lost:
            lost.pop()
            raise OperationalError("COMMIT", None, Exception("connection reset by peer"))

    event.listen(Session, "after_commit", lose_the_answer)
    try:
        recorder = Recorder(
            database,
            run[1],
            tmp_path / "spool",
            lambda _session, points, _now: shipped.extend(point[1] for point in points),
            shipped=lambda: confirmed.append(len(shipped)),
            interval=0.01,
        )
        recorder.add({"m": 1.0}, 1, 0)
        wait_for(lambda: bool(confirmed))
        assert recorder.close()
    finally:
        event.remove(Session, "after_commit", lose_the_answer)

    assert not lost
    assert shipped == steps(database, run[0]) == [1]


def test_what_an_attempt_leaves_in_the_spool_the_next_one_ships(
    database: Database,
    run: tuple[int, int],
    make_segment: MakeSegment,
    tmp_path: Path,
    away: Away,
) -> None:
    first = Recorder(database, run[1], tmp_path / "spool", nothing, interval=0.01)
    away.before = True
    first.add({"m": 1.0}, 1, 0)
    assert not first.close(timeout=0.1)
    away.before = False
    with database.write() as session:
        second = make_segment(session, run[0], run[1], 1)
    recorder = Recorder(database, second, tmp_path / "spool", nothing)
    recorder.add({"m": 2.0}, 2, 0)

    assert recorder.close()
    assert steps(database, run[0]) == [1, 2]
    assert not (tmp_path / "spool").exists()


def test_a_full_spool_says_how_much_is_lost(
    database: Database, run: tuple[int, int], tmp_path: Path, away: Away
) -> None:
    told: list[str] = []
    recorder = Recorder(
        database,
        run[1],
        tmp_path / "spool",
        nothing,
        alert=told.append,
        interval=0.01,
        spool_limit=200,
    )
    away.before = True
    for step in range(1, 31):
        recorder.add({"m": step / 7}, step, 0)
        time.sleep(0.01)
    wait_for(lambda: recorder.outage is not None and recorder.outage.dropped > 0)
    away.before = False
    assert recorder.flush(timeout=20)
    recorder.close()

    kept = steps(database, run[0])
    assert kept == sorted(set(kept))
    assert len(kept) < 30
    assert "are being lost" in told[1]
    assert f"{30 - len(kept)} lost" in told[-1]


def test_a_value_that_is_no_number_is_an_error_and_not_a_silent_loss(
    database: Database, run: tuple[int, int], tmp_path: Path
) -> None:
    recorder = Recorder(database, run[1], tmp_path / "spool", nothing)
    recorder.add({"m": "high"}, 1, 0)  # type: ignore[dict-item]

    with pytest.raises(RecorderFailed, match="could not convert"):
        recorder.flush()


def test_a_spool_half_shipped_before_a_crash_is_not_doubled(
    database: Database, run: tuple[int, int], make_segment: MakeSegment, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", 10_000)
    batches = [Batch(run[1], number, [("m", number, 0, 0.0, 1.0)]) for number in range(1, 6)]
    for batch in batches:
        assert spool.put(batch)
    with database.write() as session:
        append(session, run[1], [p for batch in batches[:3] for p in batch.points], flush=3)
        second = make_segment(session, run[0], run[1], 5)
    recorder = Recorder(database, second, tmp_path / "spool", nothing)
    wait_for(lambda: not (tmp_path / "spool").exists())
    recorder.close()

    assert steps(database, run[0]) == [1, 2, 3, 4, 5]


def test_a_spool_is_shipped_in_groups_of_one_segment(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10_000)
    for segment, number in ((1, 1), (1, 2), (1, 3), (2, 1)):
        spool.put(Batch(segment, number, [("m", number, 0, 0.0, 1.0)] * 2))
    found = []
    while group := spool.oldest(4):
        found.append([(batch.segment_id, batch.number) for batch in group])
        for batch in group:
            spool.discard(batch)

    assert found == [[(1, 1), (1, 2)], [(1, 3)], [(2, 1)]]


def test_a_damaged_spool_file_is_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1000)
    for number in (1, 2):
        assert spool.put(Batch(1, number, [("m", number, 0, 0.0, math.inf)]))
    damaged = min((tmp_path / "spool").iterdir())
    damaged.write_bytes(b"torn")

    reopened = Spool(tmp_path / "spool", 1000)
    assert [batch.number for batch in reopened.batches()] == [2]
    assert damaged.with_suffix(".damaged").exists()
