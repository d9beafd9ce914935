"""The real server process on a free port, as `pitwall up` starts it, and a reader of its streams."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

TOKEN = "token-of-the-tests"
ROOT = Path(__file__).parents[2]


class ServerProcess:
    """`python -m backend.web` over a migrated database; `url` once it listens."""

    def __init__(self, data: Path, database_url: str) -> None:
        settings = {
            "PITWALL_DATA": str(data),
            "PITWALL_DATABASE_URL": database_url,
            "PITWALL_TOKEN": TOKEN,
            "PITWALL_PORT": "0",
            # Scripted trainers are silent between two calls of a test.
            "PITWALL_HEARTBEAT_TTL": "600",
            # No broker listens in these tests; hints fail quickly and quietly.
            "PITWALL_BROKER_URL": "redis://127.0.0.1:1/0",
        }
        self.environment = {**os.environ, **settings}
        self.url = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.web"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on" in line, line
        self.url = line.split()[-1]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@dataclass(frozen=True)
class StreamEvent:
    """One server-sent event."""

    name: str
    data: Any
    id: str


@contextmanager
def stream(client: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[StreamEvent]]:
    """Open a stream; iterating waits for events."""
    with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[StreamEvent]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield StreamEvent(fields["event"], json.loads(fields["data"]), fields["id"])
            fields = {}


def until(events: Iterator[StreamEvent], name: str) -> StreamEvent:
    """The next event of that name."""
    return next(event for event in events if event.name == name)


def fragments(events: Iterator[StreamEvent], part: str) -> Any:
    """The next fragments with that part among them: on a busy machine others come apart from it."""
    return next(event.data for event in events if event.name == "fragments" and part in event.data)
