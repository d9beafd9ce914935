"""How soon the whole product answers: from a step to the stream, from a click to a halted loop, after a crash.

    python benchmarks/responsiveness.py [--rounds 3]

Starts `pitwall up` and drives it over HTTP with a small run on the embedded simulator. Each round asks for
everything once; the table shows the median and the worst round beside what the project asks. The last
line is JSON. Times include the HTTP calls that look (every 20 ms).
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.product import Up
from tests.web.server import stream

# Seconds (memory in MB) this project asks of two shared cores.
BARS = {
    "API answers after": 2.0,
    "API memory, MB": 150.0,
    "step to stream": 2.0,
    "checkpoint asked to listed": 2.0,
    "halt asked to halted": 2.0,
    "resume asked to running": 2.0,
    "cancel asked to cancelled": 2.0,
    "SIGKILL of the trainer to shown and requeued": 30.0,
    "cancel of a stopped trainer to its processes gone": 20.0,
}
CONFIG = {
    "total_steps": 200_000,
    "evaluation_interval": 0,
    "random_reference_episodes": 0,
    "checkpoint_interval": 500,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory() as folder:
        up = Up(Path(folder) / "data")
        try:
            for _ in range(rounds):
                for name, value in {**api(up, Path(folder)), **one_run(up)}.items():
                    found[name].append(value)
        finally:
            up.end()
    report(found)


def api(up: Up, folder: Path) -> dict[str, float]:
    """Seconds until a fresh API process answers and its memory after some pages."""
    command = [sys.executable, "-m", "backend.web"]
    database = f"sqlite:///{up.data / 'pitwall.db'}"
    environment = {"PITWALL_DATA": str(folder), "PITWALL_DATABASE_URL": database}
    environment |= {"PITWALL_PORT": "0", "PITWALL_TOKEN": up.token}
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        headers = {"Authorization": f"Bearer {up.token}"}
        with httpx.Client(base_url=url, headers=headers) as client:
            client.get("/healthz").raise_for_status()
            seconds = time.perf_counter() - began
            for page in ("/", "/runs/new", "/workers"):
                client.get(page, headers={"Accept": "text/html"}).raise_for_status()
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        process.terminate()
    return {"API answers after": seconds, "API memory, MB": memory}


def one_run(up: Up) -> dict[str, float]:
    """Seconds of everything one run is asked to do."""
    run_id = up.call("/api/v1/runs", {"preset": "quickstart", "config": CONFIG})["id"]
    up.until(run_id, state="running", step=600)
    found = {"step to stream": _step_to_stream(up, run_id)}
    before = len(up.checkpoints(run_id))
    found["checkpoint asked to listed"] = _after(
        up, run_id, "checkpoint", lambda: len(up.checkpoints(run_id)) > before
    )
    found["halt asked to halted"] = _after(up, run_id, "halt", _is(up, run_id, "halted"))
    # For a second after a run has ended its worker's Celery does not listen: people are not that fast.
    time.sleep(1.5)
    found["resume asked to running"] = _after(up, run_id, "resume", _is(up, run_id, "running"))
    trainer = up.child("worker.train")
    segment = up.run(run_id)["segment"]
    trainer.kill()
    found["SIGKILL of the trainer to shown and requeued"] = _seconds_until(
        lambda: (
            up.run(run_id)["state"] in ("queued", "starting") or up.run(run_id)["segment"] > segment
        )
    )
    up.until(run_id, state="running")
    found["cancel asked to cancelled"] = _after(up, run_id, "cancel", _is(up, run_id, "cancelled"))
    found["cancel of a stopped trainer to its processes gone"] = _stopped_trainer(up)
    return found


def _step_to_stream(up: Up, run_id: int) -> float:
    """Median age of the newest point when the stream brings it."""
    headers = {"Authorization": f"Bearer {up.token}"}
    ages: list[float] = []
    with (
        httpx.Client(base_url=up.url, headers=headers, timeout=60) as client,
        stream(client, f"/api/v1/runs/{run_id}/stream") as events,
    ):
        tails = (event for event in events if event.name == "tail")
        for _, event in zip(range(6), tails, strict=False):
            newest = max(columns["time"][-1] for columns in event.data.values())
            ages.append(time.time() - newest)
    return statistics.median(ages)


def _stopped_trainer(up: Up) -> float:
    """A trainer that hears no signal: seconds from the click until its process group is gone."""
    run_id = up.call("/api/v1/runs", {"preset": "quickstart", "config": CONFIG})["id"]
    up.until(run_id, state="running", step=50)
    trainer = up.child("worker.train")
    trainer.send_signal(signal.SIGSTOP)
    return _after(up, run_id, "cancel", lambda: not trainer.is_running())


def _is(up: Up, run_id: int, state: str) -> Callable[[], bool]:
    return lambda: up.run(run_id)["state"] == state


def _after(up: Up, run_id: int, action: str, done: Callable[[], bool]) -> float:
    began = time.perf_counter()
    up.call(f"/api/v1/runs/{run_id}/{action}", {})
    return _seconds_until(done, began)


def _seconds_until(done: Callable[[], bool], began: float | None = None) -> float:
    began = time.perf_counter() if began is None else began
    while not done():
        if time.perf_counter() - began > 120:
            raise SystemExit("waited 120 s in vain")
        time.sleep(0.02)
    return time.perf_counter() - began


def report(found: dict[str, list[float]]) -> None:
    print(f"{'':<50} {'median':>8} {'worst':>8} {'asked':>8}")
    for name, values in found.items():
        middle, worst = statistics.median(values), max(values)
        print(f"{name:<50} {middle:>8.2f} {worst:>8.2f} {BARS[name]:>8.2f}")
    medians = {name: round(statistics.median(values), 3) for name, values in found.items()}
    held = sum(value <= BARS[name] for name, value in medians.items())
    print(
        json.dumps(
            {
                "name": "responsiveness bars held",
                "ratio": held / len(BARS),
                "unit": "of all",
                "medians": medians,
            }
        )
    )


if __name__ == "__main__":
    main()
