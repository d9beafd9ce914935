"""Driving among other vehicles. In a process of its own: a Traffic Manager may take its process along."""

import json
import subprocess
import sys
from typing import Any

import pytest

from worker.environment import SimulatorAddress

DRIVE = """
import json, os, sys
from backend.runs.parsing import parse_config
from worker.baselines.pid_pursuit import PidPursuit
from worker.environment import SimulatorAddress, make_environment
port, traffic_port = int(sys.argv[1]), int(sys.argv[2])
config = parse_config("quickstart", {"traffic": True, "max_episode_ticks": 300})
env = make_environment(config, SimulatorAddress("127.0.0.1", port, traffic_port))
driving, episodes = env.unwrapped, []
driver = PidPursuit.of(driving)
for seed in (1, 2, 1):
    driver.reset()
    observation, _ = env.reset(seed=seed, options={"evaluation": True})
    gaps = []
    while True:
        observation, reward, terminated, truncated, info = env.step(driver(observation))
        gaps.append([min(driving.ahead.gap, 1e9), reward])
        if terminated or truncated:
            break
    episodes.append({"vehicles": len(driving.traffic), "gaps": gaps, "summary": info["episode"]})
rung = driving.traffic.alarm.rung
env.close()
print(json.dumps({"episodes": episodes, "rung": rung}), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def drive(simulator: SimulatorAddress) -> dict[str, Any]:
    command = [sys.executable, "-c", DRIVE, str(simulator.port), str(simulator.traffic_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_scenario_zero_puts_twenty_vehicles_on_the_road(drive: dict[str, Any]) -> None:
    assert [episode["vehicles"] for episode in drive["episodes"]] == [20, 20, 20]


def test_an_episode_among_traffic_replays_bit_for_bit(drive: dict[str, Any]) -> None:
    first, other, again = drive["episodes"]
    if drive["rung"]:
        pytest.skip("the Traffic Manager missed a turn, which no client can undo")
    assert again == first
    assert other != first


def test_the_driver_hits_nobody(drive: dict[str, Any]) -> None:
    assert [episode["summary"]["collisions"] for episode in drive["episodes"]] == [0.0] * 3
