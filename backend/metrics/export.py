"""Export: every raw point of a run as CSV or Parquet, exactly, in bounded memory."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from backend.metrics.columns import Columns
from backend.metrics.reader import iter_points, list_metrics

HEADER = ("metric", "segment", "step", "episode", "time", "value")
ROWS_PER_GROUP = 1 << 20


def csv_lines(session: Session, run_id: int, metrics: Sequence[str] | None = None) -> Iterator[str]:
    """The run as CSV, a block of lines at a time; abandoned segments too, each point with its segment's number.

    Floats are written so that they read back to the last bit; NaN, inf and -inf by name.
    """
    yield ",".join(HEADER) + "\n"
    for metric, segment, columns in _blocks(session, run_id, metrics):
        prefix = f"{_quoted(metric)},{segment}"
        rows = zip(*(array.tolist() for array in columns.arrays), strict=True)
        yield "".join(
            f"{prefix},{step},{episode},{time!r},{_number(value)}\n"
            for step, episode, time, value in rows
        )


def parquet_blocks(
    session: Session, run_id: int, metrics: Sequence[str] | None = None
) -> Iterator[bytes]:
    """The same rows as a Parquet file, piece by piece."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = (
        pa.dictionary(pa.int32(), pa.string()),
        pa.int32(),
        pa.int64(),
        pa.int64(),
        pa.float64(),
        pa.float64(),
    )
    schema = pa.schema(list(zip(HEADER, kinds, strict=True)))
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for metric, segment, columns in _blocks(session, run_id, metrics):
            names = pa.DictionaryArray.from_arrays(
                pa.repeat(pa.scalar(0, pa.int32()), len(columns)), [metric]
            )
            segments = pa.repeat(pa.scalar(segment, pa.int32()), len(columns))
            arrays = [names, segments, *(pa.array(array) for array in columns.arrays)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), ROWS_PER_GROUP)
            yield sink.take()
    yield sink.take()


class _Sink:
    """A file that gives what was written to it instead of keeping it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _blocks(
    session: Session, run_id: int, metrics: Sequence[str] | None
) -> Iterator[tuple[str, int, Columns]]:
    for metric in list_metrics(session, run_id) if metrics is None else metrics:
        for segment, columns in iter_points(session, run_id, metric, branches=True):
            yield metric, segment, columns


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name
