"""A simulator of the tests' own, or the CARLA server `PITWALL_TEST_CARLA=host:port` names."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import hypothesis
import pytest

from worker.environment import SimulatorAddress

# Two busy cores make a fast example slow now and then.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


def free_ports() -> int:
    """The first of two free ports in a row: a CARLA server streams on the port after its own."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_simulator(
    port: int = 0, program: str = "worker.simulator"
) -> tuple["subprocess.Popen[str]", SimulatorAddress]:
    """A fresh embedded simulator, ready to answer; port 0 takes any free pair."""
    port = port or free_ports()
    command = [sys.executable, "-m", program, "--port", str(port), "--map", "town"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline(), "the simulator ended before it was ready"
    return process, SimulatorAddress("127.0.0.1", port, free_port())


def stop(process: "subprocess.Popen[str]") -> None:
    """A stopped process takes SIGKILL too."""
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorAddress]:
    if named := os.environ.get("PITWALL_TEST_CARLA"):
        host, port = named.rsplit(":", 1)
        yield SimulatorAddress(host, int(port), free_port())
        return
    process, address = start_simulator()
    yield address
    stop(process)
