"""Worlds in this process, servers in processes of their own, and scripts for the real client."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest

from worker.simulator.maps import Catalog
from worker.simulator.world import World

ROOT = Path(__file__).parents[2]


@dataclass
class ServerProcess:
    process: "subprocess.Popen[str]"
    port: int


@contextmanager
def server_process(*arguments: str) -> Iterator[ServerProcess]:
    """A simulator that ends with this block, as it would with its parent."""
    command = [sys.executable, "-m", "worker.simulator", "--port", "0", "--owned", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield ServerProcess(process, json.loads(process.stdout.readline())["port"])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with server_process() as started:
        yield started


@pytest.fixture(scope="session")
def town_world() -> Callable[[], World]:
    """Makes worlds on the town; the map itself is read once."""
    catalog = Catalog()
    return lambda: World(catalog, catalog.load("town"))


@pytest.fixture
def world(town_world: Callable[[], World]) -> World:
    return town_world()


def drive(scenario: str, port: int, limit: float = 90.0) -> dict[str, Any]:
    """What a scenario of `client.py` saw, run with the real client in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulator.client", scenario, str(port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit,
    )
    assert done.returncode == 0, f"{scenario} ended with {done.returncode}: {done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class RawClient:
    """Speaks the RPC by hand, for requests the real client would never send."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60.0)
        self._unpacker = msgpack.Unpacker(raw=False)
        self._number = 0

    def call(self, method: str, *arguments: Any) -> Any:
        """The answer's [error, result]."""
        self._number += 1
        self.connection.sendall(msgpack.packb([0, self._number, method, [[False], *arguments]]))
        return self.read()

    def read(self) -> Any:
        while True:
            for message in self._unpacker:
                return message[2:]
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._unpacker.feed(data)

    def value(self, method: str, *arguments: Any) -> Any:
        """The value of a call that succeeds."""
        error, result = self.call(method, *arguments)
        assert error is None
        assert result[0][0] == 1, result
        return result[0][1]

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def raw(server: ServerProcess) -> Iterator[RawClient]:
    client = RawClient(server.port)
    yield client
    client.close()
