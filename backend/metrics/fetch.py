"""Fetching: positions of a series to points or summaries, with as few chunks as it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from backend.metrics.chunks import decode_points, decode_summary
from backend.metrics.columns import Axis, Columns
from backend.metrics.downsample import Blocks
from backend.metrics.levels import CHUNK, FIRST_WIDTH, Span, Summary, closed_chunks, cover, width
from backend.metrics.lineage import Stretch
from backend.metrics.models import Chunk, Series

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
    columns = [SERIES.c[name] for name in ("id", "metric", "segment_id", "count", "last_step")]
    rows = session.execute(
        select(*columns, SERIES.c.tail).where(
            SERIES.c.segment_id.in_(segments), SERIES.c.metric.in_(metrics)
        )
    )
    found = (Stored(*row[:5], decode_points(row[5])) for row in rows)
    return {(series.segment_id, series.metric): series for series in found}


def find_pieces(
    session: Session,
    stretches: Sequence[Stretch],
    metric: str,
    x: Axis,
    start: float | None,
    end: float | None,
) -> list[Piece]:
    """The part of each stretch that lies in `[start, end]` on axis `x`, empty ones left out."""
    ids = [stretch.segment_id for stretch in stretches]
    series = find_series(session, ids, [metric]) if ids else {}
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
    spans = [Span(0, piece.start, piece.stop)]
    return Columns.concatenate(_load(session, piece.series, spans))


def blocks_of(session: Session, pieces: Sequence[Piece], x: Axis, level: int) -> Blocks:
    """Blocks that together hold exactly the points of the pieces, no coarser than `level`."""
    parts = [Blocks.of_points(Columns.empty(), x)]
    for piece in pieces:
        spans = cover(piece.start, piece.stop, level, piece.series.count)
        for span, rows in zip(spans, _load(session, piece.series, spans, x), strict=True):
            if isinstance(rows, Columns):
                parts.append(Blocks.of_points(rows, x))
            else:
                parts.append(Blocks.of_summary(rows, x, width(span.level)))
    return Blocks.concatenate(parts)


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
    beyond = CHUNKS.c[f"last_{x}"] >= value if side == "left" else CHUNKS.c[f"last_{x}"] > value
    row = session.execute(
        select(CHUNKS.c.number, CHUNKS.c.columns)
        .where(CHUNKS.c.series_id == series.id, CHUNKS.c.level == 1, beyond)
        .order_by(CHUNKS.c.number)
        .limit(1)
    ).first()
    if row is None:
        closed = closed_chunks(series.count, 0) * CHUNK
        return closed + int(np.searchsorted(series.tail.axis(x), value, side))
    _, last = decode_summary(row.columns, x).ends(x)
    entry = int(row.number) * CHUNK + int(np.searchsorted(last, value, side))
    chunk = entry * FIRST_WIDTH // CHUNK
    points = _load(session, series, [Span(0, chunk * CHUNK, (chunk + 1) * CHUNK)], x)[0]
    return chunk * CHUNK + int(np.searchsorted(points.axis(x), value, side))


def _load(
    session: Session, series: Stored, spans: Sequence[Span], x: Axis | None = None
) -> list[Any]:
    """The rows of each span, `Columns` of level 0 and `Summary` above, from one query.

    With `x` no other clock is decoded.
    """
    chunks = _fetch(session, series, spans, x)
    return [_cut(span, [chunks[span.level, number] for number in span.chunks]) for span in spans]


def _fetch(
    session: Session, series: Stored, spans: Sequence[Span], x: Axis | None
) -> dict[tuple[int, int], Columns | Summary]:
    tail = (0, closed_chunks(series.count, 0))
    found: dict[tuple[int, int], Columns | Summary] = {tail: series.tail}
    wanted = [
        and_(CHUNKS.c.level == span.level, CHUNKS.c.number.between(numbers[0], numbers[-1]))
        for span in spans
        if (numbers := [n for n in span.chunks if (span.level, n) != tail])
    ]
    if not wanted:
        return found
    rows = session.execute(
        select(CHUNKS.c.level, CHUNKS.c.number, CHUNKS.c.columns).where(
            CHUNKS.c.series_id == series.id, or_(*wanted)
        )
    )
    for level, number, columns in rows:
        found[level, number] = decode_summary(columns, x) if level else decode_points(columns, x)
    return found


def _cut(span: Span, chunks: list[Any]) -> Any:
    """Entries `[start, stop)` out of the chunks that hold them."""
    offset = span.chunks[0] * CHUNK
    if len(chunks) == 1:
        return chunks[0][span.start - offset : span.stop - offset]
    kind = type(chunks[0])
    return kind.concatenate(chunks)[span.start - offset : span.stop - offset]
