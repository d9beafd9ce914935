"""Many runs recorded into one SQLite file while people look at them: is a point lost, does anybody wait?

    python -m benchmarks.load [--minutes 10] [--runs 8] [--viewers 5] [--hertz 20]

Every run is a process with the trainer's recorder at `--hertz` steps of 40 metrics a second; every viewer
asks a running server in turn for what a page shows. Prints a table, then JSON.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

import migrations
from backend.database import Database
from backend.metrics.models import Series
from backend.models import Run, Segment
from benchmarks.served import TOKEN, server
from worker.recorder import Recorder

METRICS = 40
PAUSE = 1.0  # seconds between two looks of a viewer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--viewers", type=int, default=5)
    parser.add_argument("--hertz", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = open_runs(folder, options.runs)
        with server(folder) as (client, _):
            told = load(folder, str(client.base_url), runs, options)
        told["lost"] = told["recorded"] - count_stored(folder)
    print(f"{'':<34}{'p50':>9}{'p95':>9}{'max':>9}")
    for what, unit in (("viewers_ms", "ms"), ("blocked_us", "us")):
        cells = "".join(f"{told[what][key]:>9,.1f}" for key in ("p50", "p95", "max"))
        print(f"{what.removesuffix('_' + unit):<30}{unit:<4}{cells}")
    print(json.dumps({"name": "load", "minutes": options.minutes, **told}))


def open_runs(folder: Path, count: int) -> list[tuple[int, int]]:
    """Running runs as (run, segment)."""
    url = f"sqlite:///{folder / 'pitwall.db'}"
    migrations.upgrade(url)
    database = Database(url)
    found = []
    with database.write() as session:
        for number in range(count):
            run = Run(
                name=f"load-{number}",
                # Of a trainer of its own: no reaper of ours takes it for dead.
                preset="external",
                config={"source": "benchmark"},
                config_hash="",
                state="running",
                desired="run",
                total_steps=10**6,
                created_at=time.time(),
            )
            session.add(run)
            session.flush()
            segment = Segment(run_id=run.id, number=1, created_at=0.0)
            session.add(segment)
            session.flush()
            run.segment_id = segment.id
            found.append((run.id, segment.id))
    database.close()
    return found


def load(
    folder: Path, address: str, runs: list[tuple[int, int]], options: argparse.Namespace
) -> dict[str, Any]:
    seconds = options.minutes * 60
    context = multiprocessing.get_context("spawn")
    with (
        context.Pool(len(runs)) as writers,
        ThreadPoolExecutor(options.viewers) as viewers,
    ):
        asked = [(folder, segment, seconds, options.hertz) for _, segment in runs]
        written = writers.starmap_async(record, asked)
        # Nobody looks before the trainers have started: that takes what it takes.
        while not count_stored(folder):
            time.sleep(0.2)
        looks = [
            viewers.submit(look, address, runs[number % len(runs)][0], seconds)
            for number in range(options.viewers)
        ]
        answers = [time for future in looks for time in future.result()]
        told = written.get(timeout=seconds + 300)
    return {
        "recorded": sum(points for points, _, _ in told),
        "outages": sum(outages for _, _, outages in told),
        "answers": len(answers),
        "viewers_ms": spread([time * 1e3 for time in answers]),
        "blocked_us": spread([time * 1e6 for _, blocked, _ in told for time in blocked]),
    }


def record(
    folder: Path, segment: int, seconds: float, hertz: float
) -> tuple[int, list[float], int]:
    """Points recorded, seconds the loop was blocked at each step, and how often the database was away."""
    database = Database(f"sqlite:///{folder / 'pitwall.db'}")
    alerts: list[str] = []
    spool = folder / "spool" / str(segment)
    recorder = Recorder(database, segment, spool, lambda *_: None, alert=alerts.append)
    names = [f"m{i}" for i in range(METRICS)]
    blocked: list[float] = []
    began = time.perf_counter()
    steps = int(seconds * hertz)
    for step in range(steps):
        time.sleep(max(0.0, began + step / hertz - time.perf_counter()))
        values = {name: step * 0.1 + i for i, name in enumerate(names)}
        before = time.perf_counter()
        recorder.add(values, step, step // 200)
        blocked.append(time.perf_counter() - before)
    recorder.close(timeout=120)
    database.close()
    return steps * METRICS, blocked, len(alerts)


def look(address: str, run: int, seconds: float) -> list[float]:
    """What an open page asks for again and again; seconds until each answer was there."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    charts = [f"metric-m{i}" for i in range(8)]
    series = {"runs": run, "metrics": [f"m{i}" for i in range(4)], "points": 800}
    asked: list[tuple[str, dict[str, Any]]] = [
        (f"/api/v1/runs/{run}", {}),
        ("/api/v1/series", series),
        (f"/api/v1/runs/{run}/charts", {"charts": charts, "points": 420}),
    ]
    taken = []
    end = time.perf_counter() + seconds
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        while time.perf_counter() < end:
            for path, query in asked:
                before = time.perf_counter()
                answer = client.get(path, params=query)
                # The first charts of a run come with its first points.
                if answer.status_code != 404:
                    answer.raise_for_status()
                    taken.append(time.perf_counter() - before)
            time.sleep(PAUSE)
    return taken


def count_stored(folder: Path) -> int:
    database = Database(f"sqlite:///{folder / 'pitwall.db'}")
    with database.read() as session:
        stored = session.scalar(select(func.sum(Series.count))) or 0
    database.close()
    return int(stored)


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[len(ordered) * 95 // 100], 1),
        "p99": round(ordered[len(ordered) * 99 // 100], 1),
        "max": round(ordered[-1], 1),
    }


if __name__ == "__main__":
    main()
