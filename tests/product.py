"""The whole product as processes, driven over HTTP, and what is left of it afterwards."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.workers.conftest import until

Start = Callable[..., "Up"]


class Up:
    """One `pitwall up` and every process that descends from it."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "backend.cli", "up", "--json", "--no-browser"),
                *("--port", "0", "--data", str(data), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PITWALL_STOP_TIMEOUT": "5"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, problem = self.process.communicate(timeout=60)
            pytest.fail(f"pitwall up did not start: {problem}")
        first = json.loads(line)
        self.url, self.token = first["url"], first["token"]
        self.seen: set[psutil.Process] = set()
        self.look()

    def look(self) -> list[psutil.Process]:
        """All descendants now; remembered, so that later none is overlooked."""
        parent = psutil.Process(self.process.pid)
        found = parent.children(recursive=True)
        self.seen.update(found)
        return found

    def child(self, words: str) -> psutil.Process:
        """The descendant whose command line contains the words."""

        def matching() -> list[psutil.Process]:
            return [p for p in self.look() if words in command_of(p)]

        until(matching)
        return matching()[0]

    def survivors(self) -> list[psutil.Process]:
        return [p for p in self.seen if is_alive(p)]

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The API's JSON answer; POST when there is a body."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def run(self, run_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.call(f"/api/v1/runs/{run_id}")
        return found

    def until(self, run_id: int, seconds: float = 180, **wanted: object) -> dict[str, Any]:
        """The run once these of its fields are as wanted; `step` is a least number."""
        give_up = time.monotonic() + seconds
        while True:
            run = self.run(run_id)
            if all(
                run[name] >= value if name == "step" else run[name] == value
                for name, value in wanted.items()
            ):
                return run
            if time.monotonic() > give_up:
                events = self.call(f"/api/v1/runs/{run_id}/events")
                story = "\n".join(f"{e['step']:>7} {e['level']} {e['message']}" for e in events)
                pytest.fail(f"waited {seconds} s for {wanted}, the run is {run}\n{story}")
            time.sleep(0.1)

    def segments(self, run_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call(f"/api/v1/runs/{run_id}/segments")
        return found

    def checkpoints(self, run_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call(f"/api/v1/runs/{run_id}/checkpoints")
        return found

    def answers(self) -> bool:
        try:
            self.call("/api/v1/runs")
        except OSError:
            return False
        return True

    def end(self) -> None:
        if self.process.poll() is None:
            self.look()
            self.process.terminate()
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        for process in self.survivors():
            process.kill()


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Pitwalls; none is left when the test ends."""
    started: list[Up] = []

    def start_one(data: Path | None = None, *options: str) -> Up:
        started.append(Up(data or tmp_path / "data", *options))
        return started[-1]

    yield start_one
    for up in started:
        up.end()
