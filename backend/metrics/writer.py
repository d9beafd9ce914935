"""The metric store's writing half: points in, as compressed chunks, exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import bindparam, delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.database import Base
from backend.errors import PitwallError
from backend.metrics.chunks import decode_points, decode_summary
from backend.metrics.codec import pack
from backend.metrics.columns import Columns, Point, by_metric
from backend.metrics.levels import CHUNK, TOP, Summary, closed_chunks, covered, width
from backend.metrics.models import METRIC_LENGTH, Chunk, Flush, Series
from backend.runs.models import Segment

TABLES = Base.metadata.tables
SERIES, CHUNKS, FLUSHES = TABLES["series"], TABLES["chunks"], TABLES["flushes"]


class PointsRefused(PitwallError):
    """Points that cannot be stored: a step that went back, or a metric name that is too long."""

    status = 422
    title = "Points refused"


@dataclass(slots=True)
class _Open:
    """A series as it stands before an append."""

    id: int
    count: int
    last_step: int
    tail: Columns

    def closes(self, points: int) -> bool:
        """Whether that many more points fill a chunk."""
        return len(self.tail) + points >= CHUNK

    def summarised(self, level: int) -> int:
        """Entries in the level's open chunk."""
        whole = covered(self.count, level) // width(level)
        return whole - closed_chunks(self.count, level) * CHUNK


def append(
    session: Session, segment_id: int, points: Iterable[Point], flush: int | None = None
) -> bool:
    """Store points of a segment; as `append_columns`."""
    return append_columns(session, segment_id, by_metric(points), flush)


def append_columns(
    session: Session, segment_id: int, columns: Mapping[str, Columns], flush: int | None = None
) -> bool:
    """Store points of a segment, metric by metric, each in the order of its steps.

    A `flush` number makes this idempotent: numbers of a segment only go up, and one that is not
    above the last stored changes nothing. It is part of the caller's transaction, so a flush whose
    commit was lost can be repeated blindly. Without a number everything is stored.

    Returns:
        False for a flush that was stored before.

    Raises:
        PointsRefused: for a step below the last one stored of the metric, or a name that is too long.
    """
    if flush is not None and not _is_new(session, segment_id, flush):
        return False
    filled = {metric: _by_step(points) for metric, points in columns.items() if len(points)}
    if not filled:
        return True
    opened = _open(session, segment_id, list(filled))
    for metric, points in filled.items():
        _refuse_step_back(metric, opened[metric], points)
    growing = [opened[m] for m, points in filled.items() if opened[m].closes(len(points))]
    held = _open_summaries(session, growing, 1)
    chunks: list[dict[str, Any]] = []
    series = [
        _extend(session, opened[metric], points, held, chunks) for metric, points in filled.items()
    ]
    if chunks:
        _upsert_chunks(session, chunks)
    session.execute(_UPDATE, series)
    return True


def stored_flush(session: Session, segment_id: int) -> int:
    """The number of the segment's last stored flush, 0 before the first; held until the transaction ends."""
    query = select(FLUSHES.c.number).where(FLUSHES.c.segment_id == segment_id)
    return session.execute(query.with_for_update()).scalar_one_or_none() or 0


def delete_points(session: Session, run_id: int) -> None:
    """Delete every point of a run; `Database.reclaim` then gives the space back to the disk."""
    segments = select(Segment.id).where(Segment.run_id == run_id)
    owned = select(Series.id).where(Series.segment_id.in_(segments))
    session.execute(delete(Chunk).where(Chunk.series_id.in_(owned)))
    session.execute(delete(Series).where(Series.segment_id.in_(segments)))
    session.execute(delete(Flush).where(Flush.segment_id.in_(segments)))


def _is_new(session: Session, segment_id: int, number: int) -> bool:
    """Claim a flush number. The row's lock makes a repeat wait for the transaction it repeats."""
    dialect = _dialect(session)
    statement = dialect.insert(FLUSHES).values(segment_id=segment_id, number=number)
    statement = statement.on_conflict_do_update(
        index_elements=["segment_id"],
        set_={"number": statement.excluded.number},
        where=FLUSHES.c.number < statement.excluded.number,
    )
    claimed = session.execute(statement.returning(FLUSHES.c.number))
    return claimed.first() is not None


def _open(session: Session, segment_id: int, metrics: Sequence[str]) -> dict[str, _Open]:
    found = _select_open(session, segment_id, metrics)
    if missing := [metric for metric in metrics if metric not in found]:
        if too_long := [metric for metric in missing if len(metric) > METRIC_LENGTH]:
            raise PointsRefused(
                f"Metric name '{too_long[0]}' has {len(too_long[0])} characters: shorten it to {METRIC_LENGTH}"
            )
        blank = {"count": 0, "last_step": 0, "last_episode": 0, "last_time": 0.0, "tail": b""}
        rows = [{"segment_id": segment_id, "metric": metric, **blank} for metric in missing]
        session.execute(insert(SERIES), rows)
        found |= _select_open(session, segment_id, missing)
    return found


def _select_open(session: Session, segment_id: int, metrics: Sequence[str]) -> dict[str, _Open]:
    columns = (SERIES.c.metric, SERIES.c.id, SERIES.c.count, SERIES.c.last_step, SERIES.c.tail)
    rows = session.execute(
        select(*columns).where(SERIES.c.segment_id == segment_id, SERIES.c.metric.in_(metrics))
    )
    return {
        metric: _Open(id, count, last_step, decode_points([tail]))
        for metric, id, count, last_step, tail in rows
    }


def _by_step(points: Columns) -> Columns:
    if (np.diff(points.step) >= 0).all():
        return points
    return points[np.argsort(points.step, kind="stable")]


def _refuse_step_back(metric: str, state: _Open, points: Columns) -> None:
    if state.count and points.step[0] < state.last_step:
        raise PointsRefused(
            f"Step {points.step[0]} of '{metric}' is below the last one stored ({state.last_step}): "
            "steps of a segment never go back; start a new segment"
        )


def _extend(
    session: Session,
    state: _Open,
    points: Columns,
    held: dict[int, Summary],
    chunks: list[dict[str, Any]],
) -> dict[str, Any]:
    """Add the chunks that `points` fill to `chunks`; the series' new row."""
    waiting = Columns.concatenate([state.tail, points]) if len(state.tail) else points
    full = len(waiting) // CHUNK
    closed = closed_chunks(state.count, 0)
    for i in range(full):
        chunk = waiting[i * CHUNK : (i + 1) * CHUNK]
        chunks.append(_point_row(state.id, closed + i, chunk))
    if full:
        entries = Summary.of_points(waiting[: full * CHUNK])
        _extend_level(session, state, 1, entries, held, chunks)
    tail = waiting[full * CHUNK :]
    last = float(points.value[-1])
    return {
        "series": state.id,
        "count": state.count + len(points),
        "last_step": int(points.step[-1]),
        "last_episode": int(points.episode[-1]),
        "last_time": float(points.time[-1]),
        "last_value": None if np.isnan(last) else last,
        "tail": pack(tail.arrays) if len(tail) else b"",
    }


def _extend_level(
    session: Session,
    state: _Open,
    level: int,
    entries: Summary,
    held: dict[int, Summary],
    chunks: list[dict[str, Any]],
) -> None:
    """Add entries to a level's open chunk; chunks that become full are summed up one level higher."""
    number = closed_chunks(state.count, level)
    if state.id in held:
        entries = Summary.concatenate([held[state.id], entries])
    for start in range(0, len(entries), CHUNK):
        part = entries[start : start + CHUNK]
        chunks.append(_summary_row(state.id, level, number + start // CHUNK, part))
    full = len(entries) // CHUNK * CHUNK
    if full and level < TOP:
        above = _open_summaries(session, [state], level + 1)
        _extend_level(session, state, level + 1, entries[:full].coarser(), above, chunks)


def _open_summaries(session: Session, states: Iterable[_Open], level: int) -> dict[int, Summary]:
    """The entries of each series' open chunk of a level, by series id; none where it is empty."""
    keys = [
        (state.id, level, closed_chunks(state.count, level))
        for state in states
        if state.summarised(level)
    ]
    if not keys:
        return {}
    key = tuple_(CHUNKS.c.series_id, CHUNKS.c.level, CHUNKS.c.number)
    rows = session.execute(select(CHUNKS.c.series_id, CHUNKS.c.columns).where(key.in_(keys)))
    return {series: decode_summary([columns]) for series, columns in rows}


def _point_row(series_id: int, number: int, points: Columns) -> dict[str, Any]:
    whole = Summary.of_points(points, len(points))
    return _row(series_id, 0, number, whole, len(points), pack(points.arrays))


def _summary_row(series_id: int, level: int, number: int, entries: Summary) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        total = entries.total.sum(keepdims=True)
    whole = Summary(
        entries.first_step[:1],
        entries.last_step[-1:],
        entries.first_episode[:1],
        entries.last_episode[-1:],
        entries.first_time[:1],
        entries.last_time[-1:],
        entries.low.min(keepdims=True),
        entries.high.max(keepdims=True),
        total,
        entries.finite.sum(keepdims=True),
    )
    count = len(entries) * width(level)
    return _row(series_id, level, number, whole, count, pack(entries.arrays))


def _row(
    series_id: int, level: int, number: int, whole: Summary, count: int, columns: bytes
) -> dict[str, Any]:
    finite = whole.finite[0] > 0
    return {
        "series_id": series_id,
        "level": level,
        "number": number,
        "first_step": int(whole.first_step[0]),
        "last_step": int(whole.last_step[0]),
        "last_episode": int(whole.last_episode[0]),
        "last_time": float(whole.last_time[0]),
        "count": count,
        "minimum": float(whole.low[0]) if finite else None,
        "maximum": float(whole.high[0]) if finite else None,
        "total": float(whole.total[0]),
        "columns": columns,
    }


def _upsert_chunks(session: Session, rows: list[dict[str, Any]]) -> None:
    statement = _dialect(session).insert(CHUNKS)
    keys = [column.name for column in CHUNKS.primary_key]
    replaced = {c.name: statement.excluded[c.name] for c in CHUNKS.c if c.name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), rows)


def _dialect(session: Session) -> Any:
    return sqlite if session.get_bind().dialect.name == "sqlite" else postgresql


_UPDATE = (
    update(SERIES)
    .where(SERIES.c.id == bindparam("series"))
    .values(
        {
            name: bindparam(name)
            for name in ("count", "last_step", "last_episode", "last_time", "last_value", "tail")
        }
    )
)
