"""The store gives back what a plain list would, over any range, on any clock, after any appends."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from backend.database import Base, Database
from backend.errors import NotFound
from backend.metrics.models import Chunk
from backend.metrics.store import (
    Axis,
    Columns,
    Cursor,
    Point,
    PointsRefused,
    append,
    append_columns,
    cursor_at_end,
    delete_points,
    iter_points,
    latest,
    list_metrics,
    read_points,
    read_series,
    read_since,
)
from tests.metrics.conftest import MakeRun, MakeSegment

SHARED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ramp(first: int, last: int, metric: str = "m", episode: int = 0) -> list[Point]:
    """A point per step, its value ten times the step."""
    return [(metric, step, episode, float(step), step * 10.0) for step in range(first, last + 1)]


def noise(count: int, seed: int = 0) -> Columns:
    """Steps that repeat and jump, short episodes, and every 97th value not finite."""
    rng = np.random.default_rng(seed)
    step = np.cumsum(rng.integers(0, 4, count))
    value = rng.normal(size=count) * 10.0 ** rng.integers(-3, 6, count)
    value[::97] = np.resize([np.nan, np.inf, -np.inf], len(value[::97]))
    return Columns.of(step, step // 50, np.round(1e9 + step * 0.05, 3), value)


def same(one: Columns, other: Columns) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays, other.arrays, strict=True))


@pytest.fixture
def run(database: Database, make_run: MakeRun, make_segment: MakeSegment) -> tuple[int, int]:
    """A run and its first segment."""
    with database.write() as session:
        run_id = make_run(session)
        return run_id, make_segment(session, run_id)


@SHARED
@given(
    sizes=st.lists(
        st.sampled_from([1, 3, 63, 64, 500, 1023, 1024, 1025, 2048, 70_000]), min_size=1, max_size=8
    )
)
def test_points_come_back_to_the_last_bit_however_they_were_cut_into_appends(
    database: Database, make_run: MakeRun, make_segment: MakeSegment, sizes: list[int]
) -> None:
    points = noise(sum(sizes))
    with database.write() as session:
        run_id = make_run(session)
        segment = make_segment(session, run_id)
        for start, stop in pairwise(np.cumsum([0, *sizes])):
            append_columns(session, segment, {"m": points[start:stop]})
    with database.read() as session:
        assert same(read_points(session, run_id, "m"), points)
        curve = read_series(session, run_id, "m", points=50).curve

    finite = points.value[np.isfinite(points.value)]
    assert curve.count.sum() == len(points)
    if len(finite):
        assert (np.nanmin(curve.low), np.nanmax(curve.high)) == (finite.min(), finite.max())


@pytest.fixture(scope="module")
def long_points() -> Columns:
    return noise(300_000, seed=1)


@pytest.fixture
def long_run(database: Database, run: tuple[int, int], long_points: Columns) -> int:
    """A run long enough for three levels, written in uneven appends."""
    cuts = [0, 1, 700, 1500, 66_000, 66_001, 131_072, 200_000, 299_999, 300_000]
    with database.write() as session:
        for start, stop in pairwise(cuts):
            append_columns(session, run[1], {"m": long_points[start:stop]})
    return run[0]


def test_any_range_on_any_clock_is_what_a_list_would_give(
    database: Database, long_run: int, long_points: Columns
) -> None:
    rng = np.random.default_rng(3)
    clocks: Sequence[Axis] = ("step", "episode", "time")
    with database.read() as session:
        for trial in range(60):
            x = clocks[trial % 3]
            clock = long_points.axis(x)
            size = int(rng.choice([10, 1000, 5000, 100_000, 300_000]))
            at = int(rng.integers(0, len(clock)))
            start, end = clock[at], clock[min(at + size, len(clock) - 1)]
            expected = long_points[(clock >= start) & (clock <= end)]

            assert same(read_points(session, long_run, "m", start, end, x), expected)
            curve = read_series(session, long_run, "m", start, end, 300, x).curve
            assert curve.count.sum() == len(expected)
            check_columns(curve.low, curve.high, curve.mean, curve.count, expected.value)


def check_columns(
    low: np.ndarray, high: np.ndarray, mean: np.ndarray, count: np.ndarray, values: np.ndarray
) -> None:
    """Every column tells the truth about its share of the values, in order."""
    edges = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(int)
    finite = np.isfinite(values)
    lowest = np.minimum.reduceat(np.where(finite, values, np.inf), edges)
    highest = np.maximum.reduceat(np.where(finite, values, -np.inf), edges)
    total = np.add.reduceat(np.where(finite, values, 0.0), edges)
    some = np.add.reduceat(finite.astype(int), edges)
    assert (low[some > 0] == lowest[some > 0]).all()
    assert (high[some > 0] == highest[some > 0]).all()
    assert np.allclose(mean[some > 0], (total / np.maximum(some, 1))[some > 0], rtol=1e-9)


def test_every_one_step_spike_is_drawn_at_every_zoom(
    database: Database, run: tuple[int, int]
) -> None:
    step = np.arange(200_000)
    value = np.zeros(len(step))
    spikes = np.arange(777, len(step), 5000)
    value[spikes] = 1e6
    with database.write() as session:
        append_columns(session, run[1], {"m": Columns.of(step, step * 0, step * 0.05, value)})
    with database.read() as session:
        for end in (None, 150_000, 20_000):
            curve = read_series(session, run[0], "m", end=end, points=800).curve
            expected = (spikes <= (end or len(step))).sum()
            assert (curve.high == 1e6).sum() == expected


def test_the_same_question_has_the_same_answer(database: Database, long_run: int) -> None:
    with database.read() as session:
        one, other = (read_series(session, long_run, "m", 100, 200_000, 500) for _ in range(2))

    for name in ("x", "low", "high", "mean", "count"):
        assert getattr(one.curve, name).tobytes() == getattr(other.curve, name).tobytes()


def test_few_points_are_drawn_as_they_are(database: Database, run: tuple[int, int]) -> None:
    with database.write() as session:
        append(session, run[1], ramp(1, 5))
    with database.read() as session:
        series = read_series(session, run[0], "m", points=5)

    assert series.raw
    assert series.curve.mean.tolist() == [10, 20, 30, 40, 50]
    assert series.curve.x.tolist() == [1, 2, 3, 4, 5]


def test_a_flush_repeated_after_a_lost_commit_changes_nothing(
    database: Database, run: tuple[int, int]
) -> None:
    flushes = [(1, 1), (2, 4), (2, 4), (1, 1), (3, 7)]
    stored = []
    for number, first in flushes:
        with database.write() as session:
            stored.append(append(session, run[1], ramp(first, first + 2), flush=number))
    assert stored == [True, True, False, False, True]
    with database.read() as session:
        assert read_points(session, run[0], "m").step.tolist() == list(range(1, 10))


def test_a_flush_rolled_back_can_be_repeated(database: Database, run: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        append(session, run[1], ramp(1, 3), flush=1)
        raise RuntimeError("the connection breaks before the commit")
    with database.write() as session:
        assert append(session, run[1], ramp(1, 3), flush=1)
    with database.read() as session:
        assert len(read_points(session, run[0], "m")) == 3


def test_many_points_at_one_step_are_all_kept_across_flushes(
    database: Database, run: tuple[int, int]
) -> None:
    with database.write() as session:
        for number in range(1, 4):
            append(session, run[1], [("m", 5, 0, 0.0, 1.0)] * 2, flush=number)
    with database.read() as session:
        assert len(read_points(session, run[0], "m")) == 6


def test_a_step_that_goes_back_is_refused(database: Database, run: tuple[int, int]) -> None:
    refused = pytest.raises(PointsRefused, match=r"Step 3 of 'm' is below the last one .*\(5\)")
    with refused, database.write() as session:
        append(session, run[1], ramp(1, 5))
        append(session, run[1], ramp(3, 6))
    with database.read() as session:
        assert len(read_points(session, run[0], "m")) == 0


def test_a_metric_name_that_is_too_long_is_refused(
    database: Database, run: tuple[int, int]
) -> None:
    with pytest.raises(PointsRefused, match="shorten it to 200"), database.write() as session:
        append(session, run[1], ramp(1, 2, metric="m" * 201))


def test_a_run_reads_along_its_lineage_and_its_abandoned_branches_aside(
    database: Database, run: tuple[int, int], make_segment: MakeSegment
) -> None:
    run_id, first = run
    with database.write() as session:
        append(session, first, ramp(1, 100))
        second = make_segment(session, run_id, first, 60)
        append(session, second, ramp(61, 90))
        third = make_segment(session, run_id, first, 40)
        append(session, third, ramp(41, 50))
    with database.read() as session:
        series = read_series(session, run_id, "m", branches=True)
        assert read_points(session, run_id, "m").step.tolist() == list(range(1, 51))
        assert read_points(session, run_id, "m", 35, 45).step.tolist() == list(range(35, 46))
        everything = list(iter_points(session, run_id, "m", branches=True))
        assert latest(session, run_id)["m"] == ("m", 50, 0, 50.0, 500.0)

    assert series.curve.x.tolist() == list(range(1, 51))
    assert {branch.segment: branch.curve.x.tolist() for branch in series.branches} == {
        1: list(range(41, 101)),
        2: list(range(61, 91)),
    }
    assert sum(len(columns) for _, columns in everything) == 140


def test_a_segment_from_scratch_takes_nothing_over(
    database: Database, run: tuple[int, int], make_segment: MakeSegment
) -> None:
    run_id, first = run
    with database.write() as session:
        append(session, first, ramp(0, 5))
        second = make_segment(session, run_id)
        append(session, second, ramp(0, 3))
    with database.read() as session:
        assert read_points(session, run_id, "m").step.tolist() == [0, 1, 2, 3]


def test_latest_looks_past_a_segment_that_has_no_point_yet(
    database: Database, run: tuple[int, int], make_segment: MakeSegment
) -> None:
    run_id, first = run
    with database.write() as session:
        append(session, first, [*ramp(1, 10), ("other", 2, 0, 0.0, float("nan"))])
        make_segment(session, run_id, first, 7)
    with database.read() as session:
        found = latest(session, run_id)

    assert found["m"][1] == 7
    assert np.isnan(found["other"][4])


def test_a_live_reader_sees_every_point_once(
    database: Database, run: tuple[int, int], make_segment: MakeSegment
) -> None:
    run_id, first = run
    cursor, seen = Cursor(None, {}), list[int]()
    for start, stop in ((1, 1), (2, 1500), (1501, 1501), (1502, 4000)):
        with database.write() as session:
            append(session, first, ramp(start, stop))
        with database.read() as session:
            new, cursor = read_since(session, run_id, cursor)
            seen += new["m"].step.tolist()
    with database.read() as session:
        assert read_since(session, run_id, cursor) == ({}, cursor)
        assert cursor_at_end(session, run_id) == cursor
    assert seen == list(range(1, 4001))


def test_a_live_reader_follows_the_run_to_its_next_segment(
    database: Database, run: tuple[int, int], make_segment: MakeSegment
) -> None:
    run_id, first = run
    with database.write() as session:
        append(session, first, ramp(1, 100))
        cursor = cursor_at_end(session, run_id)
        second = make_segment(session, run_id, first, 50)
        append(session, second, ramp(51, 52))
    with database.read() as session:
        new, moved = read_since(session, run_id, cursor)

    assert moved.segment_id == second != cursor.segment_id
    assert new["m"].step.tolist() == [51, 52]


def test_metrics_are_listed_in_the_catalogues_order_and_others_after(
    database: Database, run: tuple[int, int]
) -> None:
    with database.write() as session:
        for metric in ("zebra", "learner/critic_loss", "aardvark", "episode/return"):
            append(session, run[1], ramp(1, 1, metric))
    with database.read() as session:
        listed = list_metrics(session, run[0])

    assert listed == ["episode/return", "learner/critic_loss", "aardvark", "zebra"]


def test_deleting_a_runs_points_leaves_nothing_of_it_and_nothing_else(
    database: Database, run: tuple[int, int], make_run: MakeRun, make_segment: MakeSegment
) -> None:
    with database.write() as session:
        other = make_run(session)
        segment = make_segment(session, other)
        append(session, run[1], ramp(1, 5000), flush=1)
        append(session, segment, ramp(1, 3), flush=1)
    with database.write() as session:
        delete_points(session, run[0])
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Chunk)) == 0
        assert len(read_points(session, run[0], "m")) == 0
        assert len(read_points(session, other, "m")) == 3


def test_a_deleted_runs_space_goes_back_to_the_disk(
    tmp_path: Path, make_run: MakeRun, make_segment: MakeSegment
) -> None:
    file = tmp_path / "space.db"
    database = Database(f"sqlite:///{file}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        run_id = make_run(session)
        append_columns(session, make_segment(session, run_id), {"m": noise(200_000)})
    database.reclaim()
    full = file.stat().st_size
    with database.write() as session:
        delete_points(session, run_id)
    database.reclaim()
    database.close()

    assert full > 1_000_000
    assert file.stat().st_size < full / 3


def test_space_is_reclaimed_on_every_database(database: Database, run: tuple[int, int]) -> None:
    with database.write() as session:
        append(session, run[1], ramp(1, 5000))
    with database.write() as session:
        delete_points(session, run[0])

    database.reclaim()


def test_a_run_that_does_not_exist_is_named(database: Database) -> None:
    with pytest.raises(NotFound, match="Run 99"), database.read() as session:
        read_series(session, 99, "m")


def test_a_metric_without_points_is_an_empty_curve(
    database: Database, run: tuple[int, int]
) -> None:
    with database.read() as session:
        assert len(read_series(session, run[0], "nothing", points=10).curve) == 0
        assert latest(session, run[0]) == {}
