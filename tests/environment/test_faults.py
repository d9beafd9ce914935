"""A simulator that dies or falls silent. Each in a process of its own: a client of a dead server may take it along."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.environment.conftest import start_simulator, stop
from tests.workers.conftest import until
from worker.environment import SimulatorAddress
from worker.environment.lookout import Tripwire

PATIENCE = 120.0

CLIENT = """
import os, sys, time
import numpy as np
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
preset, port = sys.argv[1], int(sys.argv[2])
env = make_environment(parse_config(preset), SimulatorAddress("127.0.0.1", port, 0), 60.0)
env.reset(seed=0)
connection = env.unwrapped.connection
connection.timeout = 3.0
connection.client.set_timeout(3.0)
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

LEAVING = """
import os, signal, sys, time
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress, make_environment
port, simulator = int(sys.argv[1]), int(sys.argv[2])
env = make_environment(parse_config("vision-small"), SimulatorAddress("127.0.0.1", port, 0), 60.0)
env.reset(seed=0)
connection = env.unwrapped.connection
destroy = connection.destroy


def too_late(actors):
    os.kill(simulator, signal.SIGSTOP)
    destroy(actors)


connection.destroy = too_late
connection.client.set_timeout(2.0)
began = time.monotonic()
env.close()
print(time.monotonic() - began, flush=True)
os._exit(0)
"""

WATCHED = """
import os, sys
import numpy as np
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress
from worker.environment.carla_env import DrivingEnv
port, traffic_port, traffic = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "traffic"
# A time-out nobody waits for: only the lookout can tell.
config = parse_config("quickstart", {"traffic": traffic})
env = DrivingEnv(config, SimulatorAddress("127.0.0.1", port, traffic_port), timeout=600.0)

def leave(error):
    print(error, flush=True)
    os._exit(7)

env.watch(leave)
env.reset(seed=0)
print("driving", flush=True)
while True:
    *_, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
    if terminated or truncated:
        env.reset()
"""

PATIENT = """
import os, sys, time
import numpy as np
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
address = SimulatorAddress("127.0.0.1", int(sys.argv[1]), 0)
env = make_environment(parse_config("quickstart"), address, 1.5)
env.reset(seed=0)
print("driving", flush=True)
ahead = np.array([0.0, 0.6], np.float32)
try:
    while True:
        *_, terminated, truncated, _ = env.step(ahead)
        if terminated or truncated:
            env.reset()
except SimulatorLost as error:
    print(error, flush=True)
env.close()
while True:
    try:
        env = make_environment(parse_config("quickstart"), address, 1.5)
        env.reset(seed=0)
        break
    except SimulatorLost:
        time.sleep(0.1)
print(sum(env.step(ahead)[1] for _ in range(20)), flush=True)
os._exit(0)
"""

SEEING = """
import os, socket, sys
import numpy as np, psutil
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress, make_environment
port, cut = int(sys.argv[1]), sys.argv[2] == "cut"
env = make_environment(parse_config("vision-small"), SimulatorAddress("127.0.0.1", port, 0), 60.0)
env.reset(seed=0)
print("driving", flush=True)
seen = []
for step in range(30):
    if cut and step in (5, 15):
        streams = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == port + 1]
        assert streams
        for stream in streams:
            socket.socket(fileno=os.dup(stream.fd)).shutdown(socket.SHUT_RDWR)
    observation, *_ = env.step(np.array([0.0, 0.6], np.float32))
    seen.append(int(observation["image"][-1].sum()))
print(seen, flush=True)
os._exit(0)
"""

NOBODY = """
import os, sys, time
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
began = time.monotonic()
try:
    make_environment(parse_config("quickstart"), SimulatorAddress("127.0.0.1", 9, 0), 1.0)
except SimulatorLost as error:
    print(f"{time.monotonic() - began:.1f} s until lost: {error}", flush=True)
os._exit(0)
"""


@contextmanager
def client_of(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A client in a process of its own, driving; ended with the test, which must not wait for one that hangs."""
    command = [sys.executable, "-c", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "driving\n"
            yield client
        finally:
            client.kill()


def rest_said(client: "subprocess.Popen[str]") -> str:
    """What it says until it ends by itself."""
    return client.communicate(timeout=PATIENCE)[0]


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
    with client_of(CLIENT, preset, str(address.port)) as client:
        time.sleep(0.2)
        process.send_signal(fault)
        lost, still, closed = rest_said(client).splitlines()
    assert float(lost.split()[0]) >= 2.9, lost
    assert f"simulator 127.0.0.1:{address.port} is lost" in lost or "no camera image" in lost
    assert "was lost: build a new environment" in still
    assert float(closed.split()[0]) < 2.9, closed
    assert client.returncode == 0


def test_a_server_that_falls_silent_while_it_is_left_costs_one_time_out_whatever_was_left_to_destroy(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress],
) -> None:
    process, address = fragile
    command = [sys.executable, "-c", LEAVING, str(address.port), str(process.pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    assert 1.9 <= float(done.stdout) < 3.9


@pytest.mark.parametrize("traffic", ["alone", "traffic"])
@pytest.mark.parametrize("fault", ["kill", "stop", "restart"])
def test_the_lookout_tells_of_a_dead_hung_or_restarted_server_under_a_tick(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress], fault: str, traffic: str
) -> None:
    process, address = fragile
    ports = [str(address.port), str(address.traffic_port)]
    with ExitStack() as started:
        client = started.enter_context(client_of(WATCHED, *ports, traffic))
        process.send_signal(signal.SIGSTOP if fault == "stop" else signal.SIGKILL)
        if fault == "restart":
            process.wait()
            again, _ = start_simulator(address.port)
            started.callback(stop, again)
        told = rest_said(client)
    assert ("hangs" if fault == "stop" else "has ended or was restarted") in told
    assert f"simulator 127.0.0.1:{address.port}" in told
    assert client.returncode == 7


def test_after_a_tick_slower_than_the_time_out_a_new_environment_drives_on_the_same_server(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress],
) -> None:
    process, address = fragile
    with client_of(PATIENT, str(address.port)) as client:
        process.send_signal(signal.SIGSTOP)
        assert client.stdout is not None
        assert f"simulator 127.0.0.1:{address.port} is lost" in client.stdout.readline()
        process.send_signal(signal.SIGCONT)
        assert float(rest_said(client)) > 0


def test_a_camera_stream_that_is_cut_is_taken_up_again_and_no_frame_is_missed(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress],
) -> None:
    _, address = fragile
    seen = []
    for cut in ("whole", "cut", "cut"):
        with client_of(SEEING, str(address.port), cut) as client:
            seen.append(rest_said(client))
    assert len(set(json.loads(seen[0]))) > 20
    assert seen[1:] == [seen[0], seen[0]]


def test_a_server_that_answers_is_not_thought_hung_however_long_its_tick_takes(
    fragile: tuple["subprocess.Popen[str]", SimulatorAddress],
) -> None:
    process, address = fragile
    wire = Tripwire(address.host, address.port)
    for now in (100.0, 200.0, 300.0):
        until(lambda now=now: wire.silent_for(now) == 0.0)
    process.send_signal(signal.SIGSTOP)
    assert wire.silent_for(400.0) in (0.0, 100.0)  # the last question may not have been heard
    assert wire.silent_for(500.0) >= 100.0
    assert not wire.is_cut
    process.kill()
    until(lambda: wire.silent_for(600.0) == 0.0 and wire.is_cut)
    wire.close()


def test_a_port_where_nobody_answers_is_a_lost_simulator() -> None:
    command = [sys.executable, "-c", NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert float(done.stdout.split()[0]) >= 0.9, done
    assert "simulator 127.0.0.1:9 is lost" in done.stdout
