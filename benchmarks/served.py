"""A long run behind a running server: charts over HTTP, a page of charts, memory, a roll back; used by `benchmarks.metrics`."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

import migrations
from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.metrics.columns import Columns
from backend.metrics.store import append_columns
from backend.models import Run, Segment

TOKEN = "token-of-the-benchmark"
CHARTED, ON_PAGE, RANGES = 4, 40, 30
PIXELS, PIXELS_ON_PAGE = 800, 420


@contextmanager
def server(folder: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """`python -m backend.web` over a data folder, with a client that is signed in."""
    environment = {
        **os.environ,
        "PITWALL_DATA": str(folder),
        "PITWALL_PORT": "0",
        "PITWALL_TOKEN": TOKEN,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.web"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the server did not say where it listens"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=found[0], headers=headers, timeout=600) as client:
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def store_run(folder: Path, series: Callable[[int, int], Columns], steps: int, metrics: int) -> int:
    """A finished run of that many steps with a checkpoint halfway, in a new database; its number."""
    url = f"sqlite:///{folder / 'pitwall.db'}"
    migrations.upgrade(url)
    database = Database(url)
    with database.write() as session:
        run = Run(
            name="long",
            preset="quickstart",
            config={"environment": "carla", "total_steps": steps},
            config_hash="",
            state="finished",
            desired="run",
            step=steps,
            total_steps=steps,
            created_at=0.0,
        )
        session.add(run)
        session.flush()
        segment = Segment(run_id=run.id, number=1, created_at=0.0)
        session.add(segment)
        session.flush()
        run.segment_id = segment.id
        half = Checkpoint(
            run_id=run.id,
            segment_id=segment.id,
            kind="manual",
            step=steps // 2,
            episode=0,
            path=str(folder),
            bytes=0,
            sha256="0" * 64,
            created_at=0.0,
        )
        session.add(half)
        run_id, segment_id = run.id, segment.id
    for metric in range(metrics):
        with database.write() as session:
            append_columns(session, segment_id, {f"m{metric}": series(steps, metric)})
    database.close()
    return run_id


def long_run(
    series: Callable[[int, int], Columns], steps: int, metrics: int, spike: float, spikes: int
) -> dict[str, Any]:
    """Charts, page, memory and roll back of a run of `steps` x `metrics` points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        run_id = store_run(folder, series, steps, metrics)
        stored = time.perf_counter() - began
        size = sum(file.stat().st_size for file in folder.glob("pitwall.db*"))
        with server(folder) as (client, process):
            return {
                "points": steps * metrics,
                "stored_points_per_second": round(steps * metrics / stored),
                "bytes_per_point": round(size / steps / metrics, 2),
                **_charts(client, process, run_id, steps, spike, spikes),
                **_page(client, process, run_id),
                "memory_mb": round(process.memory_info().rss / 1e6, 1),
                **_roll_back(client, run_id),
            }


def _charts(
    client: httpx.Client,
    process: psutil.Process,
    run_id: int,
    steps: int,
    spike: float,
    spikes: int,
) -> dict[str, Any]:
    """Four metrics over the whole run and over ranges of every length."""
    charted: dict[str, Any] = {
        "runs": run_id,
        "metrics": [f"m{i}" for i in range(CHARTED)],
        "points": PIXELS,
    }
    rng = np.random.default_rng(0)
    lengths = np.geomspace(1000, steps, RANGES).astype(int)
    ranges = [(int(rng.integers(0, steps - length + 1)), int(length)) for length in lengths]
    client.get("/api/v1/series", params=charted).raise_for_status()
    whole = min(_taken(client, process, charted)[0] for _ in range(5))
    # Each range twice, the quicker counts: what else ran on the machine meanwhile is not ours.
    found = []
    for start, length in ranges:
        query = {**charted, "start": start, "end": start + length - 1}
        found.append(min(_taken(client, process, query) for _ in range(2)))
    high = client.get("/api/v1/series", params=charted).json()[0]["curve"]["high"]
    wall, cpu = zip(*found, strict=True)
    return {
        "chart_whole_ms": round(whole * 1e3, 1),
        "chart_range_ms_median": round(statistics.median(wall) * 1e3, 1),
        "chart_range_ms_max": round(max(wall) * 1e3, 1),
        "chart_range_cpu_ms_mean": round(statistics.mean(cpu) * 1e3, 1),
        "spikes": f"{sum(value == spike for value in high)} columns of {min(spikes, PIXELS)}",
    }


def _taken(
    client: httpx.Client, process: psutil.Process, query: Mapping[str, Any]
) -> tuple[float, float]:
    """Seconds until the whole answer was there, and seconds of the server's CPU."""
    used, began = sum(process.cpu_times()[:2]), time.perf_counter()
    client.get("/api/v1/series", params=dict(query)).raise_for_status()
    return time.perf_counter() - began, sum(process.cpu_times()[:2]) - used


def _page(client: httpx.Client, process: psutil.Process, run_id: int) -> dict[str, Any]:
    """Forty charts as the run page asks for them, in one request."""
    charts = [f"metric-m{i}" for i in range(ON_PAGE)]
    query: dict[str, Any] = {"charts": charts, "points": PIXELS_ON_PAGE, "smoothing": 0.6}
    taken, sent = [], 0
    cpu = []
    for _ in range(5):
        used, began = sum(process.cpu_times()[:2]), time.perf_counter()
        with client.stream("GET", f"/api/v1/runs/{run_id}/charts", params=query) as answer:
            answer.raise_for_status()
            sent = sum(len(block) for block in answer.iter_raw())
        taken.append(time.perf_counter() - began)
        cpu.append(sum(process.cpu_times()[:2]) - used)
    return {
        "page_ms": round(min(taken) * 1e3, 1),
        "page_cpu_ms": round(min(cpu) * 1e3),
        "page_kb": round(sent / 1e3, 1),
    }


def _roll_back(client: httpx.Client, run_id: int) -> dict[str, Any]:
    began = time.perf_counter()
    checkpoints = client.get(f"/api/v1/runs/{run_id}/checkpoints").json()
    body = {"checkpoint_id": checkpoints[0]["id"]}
    client.post(f"/api/v1/runs/{run_id}/rollback", json=body).raise_for_status()
    return {"rollback_ms": round((time.perf_counter() - began) * 1e3, 1)}
