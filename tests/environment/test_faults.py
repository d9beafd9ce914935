"""A simulator that dies or falls silent. Each in a process of its own: a client of a dead server may take it along."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.environment.conftest import start_simulator, stop
from worker.environment import SimulatorAddress

CLIENT = """
import os, sys, time
import numpy as np
from backend.runs.config import parse_config
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
preset, port, timeout = sys.argv[1], int(sys.argv[2]), 3.0
env = make_environment(parse_config(preset), SimulatorAddress("127.0.0.1", port, 0), timeout)
env.reset(seed=0)
print("driving", flush=True)
while True:
    began = time.monotonic()
    try:
        *_, terminated, truncated, info = env.step(np.zeros(2, np.float32))
        if terminated or truncated:
            env.reset()
    except SimulatorLost as error:
        print(f"{time.monotonic() - began:.1f} s until lost: {error}", flush=True)
        break
try:
    env.reset()
except SimulatorLost as error:
    print(f"still: {error}", flush=True)
began = time.monotonic()
env.close()
print(f"{time.monotonic() - began:.1f} s until closed", flush=True)
os._exit(0)
"""

NOBODY = """
import os, sys, time
from backend.runs.config import parse_config
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
began = time.monotonic()
try:
    make_environment(parse_config("quickstart"), SimulatorAddress("127.0.0.1", 9, 0), 1.0)
except SimulatorLost as error:
    print(f"{time.monotonic() - began:.1f} s until lost: {error}", flush=True)
os._exit(0)
"""


@pytest.fixture
def fragile() -> Iterator[tuple["subprocess.Popen[str]", SimulatorAddress]]:
    process, address = start_simulator()
    yield process, address
    stop(process)


@pytest.mark.parametrize(
    ("preset", "fault"), [("quickstart", signal.SIGKILL), ("vision-small", signal.SIGSTOP)]
)
def test_a_lost_simulator_is_told_within_the_timeout_and_closing_does_not_wait(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress], fault: signal.Signals, preset: str
) -> None:
    process, address = fragile
    command = [sys.executable, "-c", CLIENT, preset, str(address.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "driving\n"
        time.sleep(0.2)
        process.send_signal(fault)
        lost, still, closed = client.stdout.read().splitlines()
    assert 2.9 <= float(lost.split()[0]) < 5.0, lost
    assert f"simulator 127.0.0.1:{address.port} is lost" in lost or "no camera image" in lost
    assert "was lost: build a new environment" in still
    assert float(closed.split()[0]) < 1.0, closed
    assert client.returncode == 0


def test_a_port_where_nobody_answers_is_a_lost_simulator() -> None:
    command = [sys.executable, "-c", NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert 0.9 <= float(done.stdout.split()[0]) < 3.0, done
    assert "simulator 127.0.0.1:9 is lost" in done.stdout
