"""Raw points over HTTP: whole, exact, by name."""

import csv
import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.metrics.store import Columns, append_columns
from tests.metrics.conftest import MakeRun, MakeSegment, make_run, make_segment

__all__ = ["make_run", "make_segment"]

STEP = np.arange(5000)
VALUE = np.where(STEP % 100 == 0, np.nan, STEP / 7)


@pytest.fixture
def run_id(database: Database, make_run: MakeRun, make_segment: MakeSegment) -> int:
    columns = Columns.of(STEP, STEP // 50, STEP / 20, VALUE)
    with database.write() as session:
        run_id = make_run(session)
        append_columns(session, make_segment(session, run_id), {"m": columns, "n": columns[:3]})
        return run_id


def test_csv_holds_every_point(api: TestClient, run_id: int) -> None:
    answer = api.get(f"/api/v1/runs/{run_id}/points.csv", params={"metric": "m"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-disposition"] == f'attachment; filename="run-{run_id}.csv"'
    assert np.array([float(row["value"]) for row in rows]).tobytes() == VALUE.tobytes()


def test_parquet_holds_every_point(api: TestClient, run_id: int) -> None:
    answer = api.get(f"/api/v1/runs/{run_id}/points.parquet")
    table = pq.read_table(io.BytesIO(answer.content))

    assert table.num_rows == 5003
    assert table["value"].to_numpy()[:5000].tobytes() == VALUE.tobytes()


def test_points_of_an_unknown_run_are_not_found(api: TestClient) -> None:
    assert api.get("/api/v1/runs/99/points.csv").status_code == 404
