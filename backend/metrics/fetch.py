"""Fetching: positions of a series to points or summaries, with as few chunks as it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.orm import Session

from backend.metrics.chunks import decode_points, decode_summary
from backend.metrics.columns import Axis, Columns
from backend.metrics.downsample import Blocks
from backend.metrics.levels import CHUNK, FIRST_WIDTH, Span, closed_chunks, cover, width
from backend.metrics.lineage import Stretch
from backend.metrics.models import Chunk, Series

AXES: tuple[Axis, ...] = ("step", "episode", "time")
SERIES, CHUNKS = Series.metadata.tables["series"], Chunk.metadata.tables["chunks"]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A series as a reader meets it: its id, how many points it has, and its open chunk."""

    id: int
    metric: str
    segment_id: int
    count: int
    last_step: int
    tail: Columns


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Points `[start, stop)` of a series, by position; `segment` is its segment's number."""

    series: Stored
    segment: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def find_series(
    session: Session, segments: Sequence[int], metrics: Sequence[str]
) -> dict[tuple[int, str], Stored]:
    """The series of some segments and metrics, by (segment id, metric)."""
    if not segments or not metrics:
        return {}
    rows = session.execute(_SERIES, {"segments": list(segments), "metrics": list(metrics)})
    return {
        (segment, metric): Stored(id, metric, segment, count, last_step, decode_points([tail]))
        for id, metric, segment, count, last_step, tail in rows
    }


def find_pieces(
    session: Session,
    series: Mapping[tuple[int, str], Stored],
    stretches: Sequence[Stretch],
    metric: str,
    x: Axis = "step",
    start: float | None = None,
    end: float | None = None,
) -> list[Piece]:
    """The part of each stretch that lies in `[start, end]` on axis `x`, empty ones left out.

    `series` are those `find_series` found for the stretches' segments.
    """
    pieces = []
    for stretch in stretches:
        stored = series.get((stretch.segment_id, metric))
        if stored is None:
            continue
        first = max(
            _up_to(session, stored, "step", stretch.after),
            _before(session, stored, x, start),
        )
        stop = min(
            _through(session, stored, "step", stretch.until), _through(session, stored, x, end)
        )
        if first < stop:
            pieces.append(Piece(stored, stretch.number, first, stop))
    return pieces


def points_of(session: Session, piece: Piece) -> Columns:
    """Every point of a piece."""
    points: Columns = _load(session, piece.series, Span(0, piece.start, piece.stop))
    return points


def parts_of(
    session: Session, pieces: Sequence[Piece], x: Axis, level: int
) -> list[Columns | Blocks]:
    """Points and blocks that together hold exactly the points of the pieces, no coarser than `level`."""
    parts: list[Columns | Blocks] = []
    for piece in pieces:
        for span in cover(piece.start, piece.stop, level, piece.series.count):
            rows = _load(session, piece.series, span, x)
            parts.append(Blocks.of_summary(rows, x, width(span.level)) if span.level else rows)
    return parts


def _before(session: Session, series: Stored, x: Axis, value: float | None) -> int:
    """Points of the series with a clock reading below `value`."""
    return 0 if value is None else _position(session, series, x, value, "left")


def _up_to(session: Session, series: Stored, x: Axis, value: float | None) -> int:
    """Points of the series with a clock reading of at most `value`; None is below all."""
    return 0 if value is None else _position(session, series, x, value, "right")


def _through(session: Session, series: Stored, x: Axis, value: float | None) -> int:
    """As `_up_to`, with None above all."""
    if value is None or (x == "step" and value >= series.last_step):
        return series.count
    return _position(session, series, x, value, "right")


def _position(session: Session, series: Stored, x: Axis, value: float, side: Any) -> int:
    """Where `value` would be inserted: down from level 1 to the one chunk that has to be searched."""
    found = session.execute(_BEYOND[x, side], {"series": series.id, "value": value}).first()
    if found is None:
        closed = closed_chunks(series.count, 0) * CHUNK
        return closed + int(np.searchsorted(series.tail.axis(x), value, side))
    _, last = decode_summary([found.columns], x).ends(x)
    entry = int(found.number) * CHUNK + int(np.searchsorted(last, value, side))
    chunk = entry * FIRST_WIDTH // CHUNK
    points = _load(session, series, Span(0, chunk * CHUNK, (chunk + 1) * CHUNK), x)
    return chunk * CHUNK + int(np.searchsorted(points.axis(x), value, side))


def _load(session: Session, series: Stored, span: Span, x: Axis | None = None) -> Any:
    """The rows of a span, `Columns` of level 0 and `Summary` above. With `x` no other clock is decoded."""
    numbers = span.chunks
    parts: list[Any] = []
    if wanted := [n for n in numbers if (span.level, n) != (0, closed_chunks(series.count, 0))]:
        bounds = {"series": series.id, "level": span.level, "low": wanted[0], "high": wanted[-1]}
        decode: Any = decode_summary if span.level else decode_points
        parts = [decode(session.execute(_CHUNKS, bounds).scalars().all(), x)]
    if len(wanted) < len(numbers):
        parts.append(series.tail)
    offset = numbers[0] * CHUNK
    whole = parts[0] if len(parts) == 1 else Columns.concatenate(parts)
    return whole[span.start - offset : span.stop - offset]


def _beyond(x: Axis, side: str) -> Select[Any]:
    last = CHUNKS.c[f"last_{x}"]
    value: BindParameter[Any] = bindparam("value")
    return (
        select(CHUNKS.c.number, CHUNKS.c.columns)
        .where(
            CHUNKS.c.series_id == bindparam("series"),
            CHUNKS.c.level == 1,
            last >= value if side == "left" else last > value,
        )
        .order_by(CHUNKS.c.number)
        .limit(1)
    )


# Made once: to build a statement and to find it in SQLAlchemy's cache takes longer than to run it.
_BEYOND = {(x, side): _beyond(x, side) for x in AXES for side in ("left", "right")}
_CHUNKS = (
    select(CHUNKS.c.columns)
    .where(
        CHUNKS.c.series_id == bindparam("series"),
        CHUNKS.c.level == bindparam("level"),
        CHUNKS.c.number.between(bindparam("low"), bindparam("high")),
    )
    .order_by(CHUNKS.c.number)
)
_SERIES = select(
    *(SERIES.c[name] for name in ("id", "metric", "segment_id", "count", "last_step", "tail"))
).where(
    SERIES.c.segment_id.in_(bindparam("segments", expanding=True)),
    SERIES.c.metric.in_(bindparam("metrics", expanding=True)),
)
