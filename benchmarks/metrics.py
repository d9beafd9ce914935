"""Our metric store and recorder against MLflow and TensorBoard: write, block, keep, draw; one run.

    pip install mlflow==3.17.2        # or in another environment: --mlflow-python PATH
    python -m benchmarks.metrics [--steps 25000] [--rounds 3] [--points 1M 10M 100M]

Forty metrics, a one-step spike every 625 steps. Rounds alternate between the three; rates are medians.
MLflow, far slower, writes a twenty-fifth of the points. Then runs of `--points` stand behind a server and
are asked for charts over HTTP. Prints the table, a line of JSON for each long run, then the ratios as JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from backend.charts.encoding import to_json
from backend.database import Base, Database
from backend.metrics.lineage import lineage_of
from backend.metrics.store import Columns, append_columns, read_metrics
from backend.models import Run, Segment
from benchmarks import served
from worker.recorder import Recorder

METRICS = 40
SPIKE, SPIKE_EVERY = 1e6, 625
FLUSH = 5000
CHARTED = 4
BATCH = 1000  # the most metrics MLflow takes in one call


@dataclass
class Result:
    """What one tool did with one round of points. Blocked times are seconds per step of 40 metrics."""

    points_per_second: float
    blocked: list[float]
    bytes_per_point: float
    chart_seconds: float
    spikes: int
    spikes_written: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--points",
        type=count,
        nargs="*",
        default=[10**6, 10**7],
        help="long runs, such as 1M 10M 100M",
    )
    parser.add_argument("--mlflow-python", default=sys.executable)
    options = parser.parse_args()
    found: dict[str, list[Result]] = {}
    for _ in range(options.rounds):
        found.setdefault("Pitwall, store", []).append(ours_in_bulk(options.steps))
        found.setdefault("Pitwall, recorder", []).append(ours_recorded(options.steps))
        found.setdefault("TensorBoard, 40 in one event", []).append(tensorboard(options.steps))
        mlflow = mlflow_peer(options.mlflow_python, options.steps // 25)
        found.setdefault("MLflow, log_batch", []).append(mlflow)
    if found:
        print_table(found)
    long = long_runs(options.points)
    print(
        json.dumps(ratios(found, long) if found else {"name": "metrics, long runs", "runs": long})
    )


def series(steps: int, metric: int) -> Columns:
    step = np.arange(steps)
    value = np.random.default_rng(metric).normal(size=steps)
    value[SPIKE_EVERY // 2 :: SPIKE_EVERY] = SPIKE
    return Columns.of(step, step // 200, np.round(1.7e9 + step * 0.05, 3), value)


def rows(steps: int) -> Iterator[dict[str, float]]:
    """The same values, a mapping per step, as a loop has them."""
    table = np.stack([series(steps, i).value for i in range(METRICS)], axis=1)
    names = [f"m{i}" for i in range(METRICS)]
    for row in table.tolist():
        yield dict(zip(names, row, strict=True))


def ours_in_bulk(steps: int) -> Result:
    data = {f"m{i}": series(steps, i) for i in range(METRICS)}
    with tempfile.TemporaryDirectory() as folder:
        database, run_id, segment = open_run(Path(folder))
        blocked = []
        began = time.perf_counter()
        for number, start in enumerate(range(0, steps, FLUSH)):
            before = time.perf_counter()
            part = {metric: columns[start : start + FLUSH] for metric, columns in data.items()}
            with database.write() as session:
                append_columns(session, segment, part, flush=number + 1)
            blocked.append((time.perf_counter() - before) / FLUSH)
        rate = steps * METRICS / (time.perf_counter() - began)
        return read_back(database, Path(folder), run_id, steps, rate, blocked)


def ours_recorded(steps: int) -> Result:
    """As a training loop at full speed: every step is added on its own, the thread ships meanwhile."""
    values = list(rows(steps))
    with tempfile.TemporaryDirectory() as folder:
        database, run_id, segment = open_run(Path(folder))
        recorder = Recorder(database, segment, Path(folder) / "spool", lambda *_: None)
        blocked = []
        began = time.perf_counter()
        for step, row in enumerate(values):
            before = time.perf_counter()
            recorder.add(row, step, step // 200)
            blocked.append(time.perf_counter() - before)
        recorder.close(timeout=600)
        rate = steps * METRICS / (time.perf_counter() - began)
        return read_back(database, Path(folder), run_id, steps, rate, blocked)


def open_run(folder: Path) -> tuple[Database, int, int]:
    database = Database(f"sqlite:///{folder / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        run = Run(
            name="bench",
            preset="bench",
            config={},
            config_hash="",
            state="running",
            desired="run",
            total_steps=1,
            created_at=0.0,
        )
        session.add(run)
        session.flush()
        segment = Segment(run_id=run.id, number=1, created_at=0.0)
        session.add(segment)
        session.flush()
        run.segment_id = segment.id
        return database, run.id, segment.id


def read_back(
    database: Database, folder: Path, run_id: int, steps: int, rate: float, blocked: list[float]
) -> Result:
    charts, spikes = [], 0
    for _ in range(3):
        before = time.perf_counter()
        spikes = chart(database, run_id)
        charts.append(time.perf_counter() - before)
    database.reclaim()
    database.close()
    size = sum(file.stat().st_size for file in folder.glob("pitwall.db*"))
    return Result(rate, blocked, size / steps / METRICS, min(charts), spikes, spikes_of(steps))


def chart(
    database: Database, run_id: int, start: float | None = None, end: float | None = None
) -> int:
    """Four metrics over a range, as the JSON a page would get; how many spikes of the first are in it."""
    with database.read() as session:
        metrics = [f"m{i}" for i in range(CHARTED)]
        lineage = lineage_of(session, run_id)
        read = read_metrics(session, lineage, metrics, start, end, points=800)
        found = [series.curve for series in read]
    to_json([[curve.x, curve.low, curve.high, curve.mean] for curve in found])
    return int((found[0].high == SPIKE).sum())


def tensorboard(steps: int) -> Result:
    values = list(rows(steps))
    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)
        blocked = []
        began = time.perf_counter()
        for step, row in enumerate(values):
            before = time.perf_counter()
            summary = Summary(value=[Summary.Value(tag=k, simple_value=v) for k, v in row.items()])
            writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))
            blocked.append(time.perf_counter() - before)
        writer.close()
        rate = steps * METRICS / (time.perf_counter() - began)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        before = time.perf_counter()
        shown = EventAccumulator(folder, size_guidance={"tensors": 1000, "scalars": 1000})
        shown.Reload()
        found = [shown.Scalars(f"m{i}") for i in range(CHARTED)]
        charted = time.perf_counter() - before
        spikes = sum(point.value == SPIKE for point in found[0])
        return Result(rate, blocked, size / steps / METRICS, charted, spikes, spikes_of(steps))


def mlflow_peer(python: str, steps: int) -> Result:
    every = max(steps * SPIKE_EVERY // 25_000, 2)
    command = [
        python,
        str(Path(__file__).with_name("mlflow_peer.py")),
        *map(str, (steps, METRICS, every)),
    ]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    per_step = [seconds * METRICS / BATCH for seconds in told.pop("blocked")]
    return Result(blocked=per_step, spikes_written=steps // every, **told)


def spikes_of(steps: int) -> int:
    return len(range(SPIKE_EVERY // 2, steps, SPIKE_EVERY))


def count(text: str) -> int:
    """`10M`, `500k` or `1000000` as a number of points."""
    scale = {"k": 10**3, "M": 10**6}.get(text[-1:], 1)
    return int(float(text.rstrip("kM")) * scale)


def long_runs(points: list[int]) -> list[dict[str, Any]]:
    """Runs of so many points behind a server; the memory and the times of each beside the others."""
    found = []
    for number in points:
        steps = number // METRICS
        found.append(served.long_run(series, steps, METRICS, SPIKE, spikes_of(steps)))
        print(json.dumps(found[-1]), flush=True)
    return found


def print_table(found: dict[str, list[Result]]) -> None:
    head = ("tool", "points/s", "blocked p50", "p99, us", "bytes/point", "chart of 4, ms", "spikes")
    print("{:<30} {:>12} {:>12} {:>10} {:>12} {:>15} {:>9}".format(*head))
    for tool, results in found.items():
        blocked = sorted(time for result in results for time in result.blocked)
        cells = (
            tool,
            f"{median(results, 'points_per_second'):,.0f}",
            f"{blocked[len(blocked) // 2] * 1e6:,.1f}",
            f"{blocked[len(blocked) * 99 // 100] * 1e6:,.1f}",
            f"{median(results, 'bytes_per_point'):.1f}",
            f"{median(results, 'chart_seconds') * 1e3:,.1f}",
            f"{results[-1].spikes}/{results[-1].spikes_written}",
        )
        print("{:<30} {:>12} {:>12} {:>10} {:>12} {:>15} {:>9}".format(*cells))


def ratios(found: dict[str, list[Result]], long: list[dict[str, Any]]) -> dict[str, Any]:
    store, recorder, board, mlflow = (
        median(results, "points_per_second") for results in found.values()
    )
    blocked = sorted(time for result in found["Pitwall, recorder"] for time in result.blocked)
    return {
        "name": "metrics",
        "ratio": round(store / mlflow, 1),
        "unit": "points/s of the store / points/s of MLflow log_batch, both SQLite",
        "recorder_to_mlflow": round(recorder / mlflow, 1),
        "store_to_tensorboard": round(store / board, 2),
        "recorder_to_tensorboard": round(recorder / board, 2),
        "blocked_us_p99": round(blocked[len(blocked) * 99 // 100] * 1e6, 1),
        "bytes_per_point": round(median(found["Pitwall, recorder"], "bytes_per_point"), 2),
        "long_runs": long,
    }


def median(results: list[Result], name: str) -> float:
    values: list[float] = [getattr(result, name) for result in results]
    return statistics.median(values)


if __name__ == "__main__":
    main()
