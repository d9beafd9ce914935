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
chosen = {"traffic": True, "vehicle_ahead": True, "max_episode_ticks": 300}
config = parse_config("quickstart", chosen)
env = make_environment(config, SimulatorAddress("127.0.0.1", port, traffic_port))
driving, episodes = env.unwrapped, []
driver = PidPursuit.of(driving)
for seed in (1, 2, 1):
    driver.reset()
    observation, _ = env.reset(seed=seed, options={"evaluation": True})
    gaps, told = [], []
    while True:
        observation, reward, terminated, truncated, info = env.step(driver(observation))
        gaps.append([min(driving.ahead.gap, 1e9), reward])
        told.append(observation["ahead"].tolist())
        if terminated or truncated:
            break
    vehicles = len(driving.traffic)
    episodes.append({"vehicles": vehicles, "gaps": gaps, "told": told, "summary": info["episode"]})
env.reset(seed=3)
driving.traffic._vehicles[0].actor.destroy()
removed = [env.step(driver(observation))[4]["termination"] for _ in range(5)]
rung = driving.traffic.alarm.rung
env.close()
print(json.dumps({"episodes": episodes, "removed": removed, "rung": rung}), flush=True)
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


def test_the_policy_is_told_of_the_vehicle_ahead(drive: dict[str, Any]) -> None:
    moments = [
        (gap, near, closing)
        for episode in drive["episodes"]
        for (gap, _), (near, closing) in zip(episode["gaps"], episode["told"], strict=True)
    ]
    assert any(near > 0.0 and closing != 0.0 for _, near, closing in moments)
    for gap, near, closing in moments:
        assert near == pytest.approx(4 * max(0.0, 1.0 - gap / 50.0), abs=1e-5)
        assert closing == 0.0 or gap < 1e9


def test_a_vehicle_taken_away_is_no_longer_in_the_way(drive: dict[str, Any]) -> None:
    """As the Traffic Manager does with one that has stood for 90 s, in the middle of an episode."""
    assert drive["removed"] == [None] * 5


def test_the_driver_hits_nobody(drive: dict[str, Any]) -> None:
    assert [episode["summary"]["collisions"] for episode in drive["episodes"]] == [0.0] * 3
