"""Exports hold every raw point, exactly."""

import csv
import io
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from backend.database import Database
from backend.metrics.export import csv_lines, parquet_blocks
from backend.metrics.store import Columns, append_columns
from tests.metrics.conftest import MakeRun, MakeSegment

VALUES = [0.1, math.nan, math.inf, -math.inf, -0.0, 1e-320, 1 / 3]


@pytest.fixture
def run_id(database: Database, make_run: MakeRun, make_segment: MakeSegment) -> int:
    """Two segments, one abandoned from step 4 on, and 70,000 points of a second metric."""
    with database.write() as session:
        run_id = make_run(session)
        first = make_segment(session, run_id)
        step = np.arange(7)
        append_columns(session, first, {"m, odd": Columns.of(step, step, step / 3, VALUES)})
        second = make_segment(session, run_id, first, 3)
        more = np.arange(4, 70_004)
        append_columns(session, second, {"n": Columns.of(more, more, more * 0.1, more / 7)})
        return run_id


def test_csv_reads_back_every_point_to_the_last_bit(database: Database, run_id: int) -> None:
    with database.read() as session:
        rows = list(csv.DictReader(io.StringIO("".join(csv_lines(session, run_id)))))
    odd = [row for row in rows if row["metric"] == "m, odd"]

    assert len(rows) == 70_007
    assert np.array([float(r["value"]) for r in odd]).tobytes() == np.array(VALUES).tobytes()
    assert [float(row["time"]) for row in odd] == [i / 3 for i in range(7)]
    assert {row["segment"] for row in odd} == {"1"}


def test_parquet_reads_back_every_point_to_the_last_bit(database: Database, run_id: int) -> None:
    with database.read() as session:
        table = pq.read_table(io.BytesIO(b"".join(parquet_blocks(session, run_id))))
    metric = np.array(table["metric"].to_pylist())
    value = table["value"].to_numpy()

    assert table.num_rows == 70_007
    assert value[metric == "m, odd"].tobytes() == np.array(VALUES).tobytes()
    assert np.array_equal(value[metric == "n"], np.arange(4, 70_004) / 7)
    assert table["step"].to_numpy()[metric == "n"].tolist() == list(range(4, 70_004))


def test_only_the_metrics_asked_for_are_exported(database: Database, run_id: int) -> None:
    with database.read() as session:
        lines = "".join(csv_lines(session, run_id, ["m, odd"])).splitlines()

    assert len(lines) == 8
