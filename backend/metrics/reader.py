"""The metric store's reading half: any range of any metric of a run, exact or by pixel column."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from backend.metrics.catalog import CATALOG
from backend.metrics.columns import Axis, Columns, Point
from backend.metrics.downsample import Blocks, Curve, as_curve, downsample, extent
from backend.metrics.fetch import SERIES, Piece, find_pieces, find_series, parts_of, points_of
from backend.metrics.levels import CHUNK, choose_level
from backend.metrics.lineage import Lineage, Stretch, lineage_of

STREAMED = 64 * CHUNK


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """What a chart draws of an abandoned segment."""

    segment: int
    curve: Curve


@dataclass(frozen=True, slots=True, eq=False)
class SeriesData:
    """A metric of a run on axis `x`. `raw`: every point is a row of its own, nothing is summed up."""

    metric: str
    x: Axis
    curve: Curve
    branches: tuple[Branch, ...]
    raw: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a live reader stands: how many points it has of each metric of a segment."""

    segment_id: int | None
    counts: Mapping[str, int]


def read_series(
    session: Session,
    run_id: int,
    metric: str,
    start: float | None = None,
    end: float | None = None,
    points: int | None = None,
    x: Axis = "step",
    branches: bool = False,
) -> SeriesData:
    """A metric of a run along its lineage, over `[start, end]` of axis `x` (both ends included).

    With `points`, a range that holds more is summed up to that many pixel columns: each has the exact
    min, max, mean and count of the points it holds, and every point of the range is in one column.
    Without, every point is its own row. A metric without points gives an empty curve. Time ranges
    assume that the recording machine's clock did not go back.

    Raises:
        NotFound: when there is no such run.
    """
    lineage = lineage_of(session, run_id)
    return read_metrics(session, lineage, [metric], start, end, points, x, branches)[0]


def read_metrics(
    session: Session,
    lineage: Lineage,
    metrics: Sequence[str],
    start: float | None = None,
    end: float | None = None,
    points: int | None = None,
    x: Axis = "step",
    branches: bool = False,
) -> list[SeriesData]:
    """As `read_series`, for several metrics of a lineage already at hand."""
    abandoned = lineage.abandoned if branches else ()
    series = find_series(session, _segments(*lineage.main, *abandoned), metrics)
    found = []
    for metric in metrics:
        main = find_pieces(session, series, lineage.main, metric, x, start, end)
        aside = find_pieces(session, series, abandoned, metric, x, start, end)
        found.append(_drawn(session, metric, main, aside, start, end, points, x))
    return found


def _drawn(
    session: Session,
    metric: str,
    main: Sequence[Piece],
    aside: Sequence[Piece],
    start: float | None,
    end: float | None,
    points: int | None,
    x: Axis,
) -> SeriesData:
    held = sum(map(len, main)) + sum(map(len, aside))
    raw = points is None or held <= points
    level = 0 if raw or points is None else choose_level(held, points)
    parts = parts_of(session, main, x, level)
    faint = [(piece.segment, parts_of(session, [piece], x, level)) for piece in aside]
    # The range pixel columns divide: what was asked for, else what the points span.
    low, high = extent([*parts, *(part for _, more in faint for part in more)], x) or (0.0, 0.0)
    window = low if start is None else start, high if end is None else end

    def curve(some: Sequence[Columns | Blocks]) -> Curve:
        return as_curve(some, x) if raw or points is None else downsample(some, x, *window, points)

    branches = tuple(Branch(segment, curve(some)) for segment, some in faint)
    return SeriesData(metric, x, curve(parts), branches, raw)


def read_points(
    session: Session,
    run_id: int,
    metric: str,
    start: float | None = None,
    end: float | None = None,
    x: Axis = "step",
) -> Columns:
    """Every point of a metric along the run's lineage, exactly as recorded."""
    return read_columns(session, lineage_of(session, run_id), metric, start, end, x)


def read_columns(
    session: Session,
    lineage: Lineage,
    metric: str,
    start: float | None = None,
    end: float | None = None,
    x: Axis = "step",
) -> Columns:
    """As `read_points`, for a lineage already at hand."""
    series = find_series(session, _segments(*lineage.main), [metric])
    pieces = find_pieces(session, series, lineage.main, metric, x, start, end)
    return Columns.concatenate([points_of(session, piece) for piece in pieces])


def iter_points(
    session: Session, run_id: int, metric: str, branches: bool = False
) -> Iterator[tuple[int, Columns]]:
    """Every point of a metric as (segment number, columns), a bounded number at a time."""
    lineage = lineage_of(session, run_id)
    stretches = (*lineage.main, *(lineage.abandoned if branches else ()))
    series = find_series(session, _segments(*stretches), [metric])
    for piece in find_pieces(session, series, stretches, metric):
        for start in range(piece.start, piece.stop, STREAMED):
            stop = min(start + STREAMED, piece.stop)
            yield piece.segment, points_of(session, Piece(piece.series, piece.segment, start, stop))


def list_metrics(session: Session, run_id: int) -> list[str]:
    """Metrics with points anywhere in the run: the catalogue's in its order, then the others by name."""
    lineage = lineage_of(session, run_id)
    segments = {stretch.segment_id for stretch in (*lineage.main, *lineage.abandoned)}
    found = session.scalars(
        select(SERIES.c.metric).where(SERIES.c.segment_id.in_(segments)).distinct()
    ).all()
    order = {name: place for place, name in enumerate(CATALOG)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def latest(session: Session, run_id: int, metrics: Sequence[str] | None = None) -> dict[str, Point]:
    """The last point of each metric along the run's lineage; of all metrics unless some are named."""
    found: dict[str, Point] = {}
    for stretch in reversed(lineage_of(session, run_id).main):
        for row in _last_rows(session, stretch, metrics):
            if row.metric in found:
                continue
            if point := _last_within(session, stretch, row):
                found[row.metric] = point
    return found


def last_steps(session: Session, segment_ids: Sequence[int]) -> dict[int, int]:
    """The last step any metric has a point at, by segment; one without points is left out."""
    last = func.max(SERIES.c.last_step)
    query = select(SERIES.c.segment_id, last).where(SERIES.c.segment_id.in_(segment_ids))
    rows = session.execute(query.group_by(SERIES.c.segment_id)).all()
    return {row[0]: row[1] for row in rows}


def cursor_at_end(session: Session, run_id: int) -> Cursor:
    """A cursor behind every point stored so far."""
    current = lineage_of(session, run_id).current
    if current is None:
        return Cursor(None, {})
    return Cursor(current.segment_id, _counts(session, current.segment_id))


def read_since(session: Session, run_id: int, cursor: Cursor) -> tuple[dict[str, Columns], Cursor]:
    """Points stored since `cursor`, by metric, and the cursor to ask with next.

    When the run moved on to another segment, all points of that segment are new, and the cursor
    returned has another `segment_id`: what a chart holds of the old one past the segment's start
    is now an abandoned branch.
    """
    current = lineage_of(session, run_id).current
    if current is None:
        return {}, cursor
    seen = cursor.counts if cursor.segment_id == current.segment_id else {}
    counts = _counts(session, current.segment_id)
    grown = [metric for metric, count in counts.items() if count > seen.get(metric, 0)]
    stored = find_series(session, [current.segment_id], grown).values() if grown else ()
    new = {
        series.metric: points_of(
            session, Piece(series, current.number, seen.get(series.metric, 0), series.count)
        )
        for series in stored
    }
    counts |= {series.metric: series.count for series in stored}
    return new, Cursor(current.segment_id, counts)


def _segments(*stretches: Stretch) -> list[int]:
    return [stretch.segment_id for stretch in stretches]


def _counts(session: Session, segment_id: int) -> dict[str, int]:
    columns = SERIES.c.metric, SERIES.c.count
    rows = session.execute(select(*columns).where(SERIES.c.segment_id == segment_id))
    return {row[0]: row[1] for row in rows}


def _last_rows(
    session: Session, stretch: Stretch, metrics: Sequence[str] | None
) -> Sequence[Row[Any]]:
    names = ("metric", "last_step", "last_episode", "last_time", "last_value")
    query = select(*(SERIES.c[name] for name in names)).where(
        SERIES.c.segment_id == stretch.segment_id
    )
    if metrics is not None:
        query = query.where(SERIES.c.metric.in_(metrics))
    return session.execute(query).all()


def _last_within(session: Session, stretch: Stretch, row: Row[Any]) -> Point | None:
    if stretch.until is None or row.last_step <= stretch.until:
        value = np.nan if row.last_value is None else row.last_value
        return row.metric, row.last_step, row.last_episode, row.last_time, value
    series = find_series(session, [stretch.segment_id], [row.metric])
    pieces = find_pieces(session, series, [stretch], row.metric)
    if not pieces:
        return None
    end = pieces[0].stop
    point = points_of(session, Piece(pieces[0].series, stretch.number, end - 1, end))
    step, episode, time, value = (array[0].item() for array in point.arrays)
    return row.metric, step, episode, time, value
