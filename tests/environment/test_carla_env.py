"""The driving task through the real carla client."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress
from worker.environment.carla_env import DrivingEnv
from worker.environment.reward import COMPONENTS
from worker.environment.starts import Start
from worker.environment.vehicle import Vehicle

Rollout = list[tuple[bytes, float]]


@pytest.fixture(scope="module")
def env(simulator: SimulatorAddress) -> Iterator[DrivingEnv]:
    config = parse_config("quickstart", {"routes": ["right", "straight", "left"]})
    driving = DrivingEnv(config, simulator)
    yield driving
    driving.close()


def roll(env: DrivingEnv, seed: int, actions: np.ndarray) -> Rollout:
    """Observation and reward after each action, to the last or the episode's end."""
    env.reset(seed=seed)
    found: Rollout = []
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        pixels = observation["image"].tobytes() if "image" in observation else b""
        found.append((observation["vector"].tobytes() + pixels, float(reward)))
        if terminated or truncated:
            break
    return found


def wandering(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform((-0.15, 0.0), (0.15, 1.0), (count, 2)).astype(np.float32)


def held(env: DrivingEnv, steer: float, pedal: float, start: Start) -> dict[str, Any]:
    """One episode with one action; the last info."""
    env.reset(seed=0, options={"start": start})
    while True:
        *_, terminated, truncated, info = env.step(np.array([steer, pedal], np.float32))
        if terminated or truncated:
            return {**info, "terminated": terminated, "truncated": truncated}


def test_it_passes_gymnasiums_own_checker(env: DrivingEnv) -> None:
    check_env(env, skip_render_check=True)


def test_the_same_seed_and_actions_replay_an_episode_bit_for_bit(env: DrivingEnv) -> None:
    actions = wandering(60)
    first = roll(env, 7, actions)
    roll(env, 8, wandering(40, seed=1))
    assert roll(env, 7, actions) == first
    assert roll(env, 8, actions) != first


def test_actions_lead_back_into_the_middle_of_an_episode(env: DrivingEnv) -> None:
    """A checkpoint keeps the seed and the actions so far; replaying them restores the simulator."""
    actions = wandering(40)
    whole = roll(env, 3, actions)
    half = len(whole) // 2
    roll(env, 4, wandering(25, seed=2))
    assert roll(env, 3, actions[:half]) == whole[:half]
    again = []
    for action in actions[half : len(whole)]:
        observation, reward, *_ = env.step(action)
        again.append((observation["vector"].tobytes(), float(reward)))
    assert again == whole[half:]


def test_components_sum_to_the_reward_at_every_decision(env: DrivingEnv) -> None:
    env.reset(seed=5)
    for action in wandering(50):
        _, reward, terminated, _, info = env.step(action)
        assert tuple(info["components"]) == COMPONENTS
        assert sum(info["components"].values()) == reward
        if terminated:
            assert info["episode"]["checksum_error"] < 1e-9
            return


def test_leaving_the_route_terminates_and_is_no_success(env: DrivingEnv) -> None:
    info = held(env, 0.5, 0.3, Start(speed=6.0, distance=20.0))
    assert info["termination"] == "off_route"
    assert info["terminated"]
    assert not info["truncated"]
    assert info["episode"]["success"] == 0.0
    assert info["components"]["safety"] <= -20.0
    assert info["episode"]["lane_invasions"] == 1.0


def test_standing_is_truncated_and_bootstraps(env: DrivingEnv) -> None:
    info = held(env, 0.0, -1.0, Start())
    assert info["termination"] == "timeout"
    assert info["truncated"]
    assert not info["terminated"]
    assert info["episode"]["length"] == 500.0
    assert info["episode"]["zero_speed_ticks"] == 1000.0
    assert info["episode"]["route_percent"] == 0.0


def test_reaching_the_goal_is_success(env: DrivingEnv) -> None:
    start = Start(route=0, distance=env.routes[0].length - 20.0, speed=8.0)
    info = held(env, 0.0, 0.2, start)
    assert info["termination"] == "goal"
    assert info["episode"]["success"] == 1.0
    assert info["episode"]["route_percent"] == 100.0
    assert info["components"]["progress"] >= 300.0


def test_driving_into_a_parked_car_is_a_collision_and_no_success(env: DrivingEnv) -> None:
    env.reset(seed=0, options={"start": Start()})
    obstacle = Vehicle(env.connection.world, env.routes[0].pose(40.0), role="obstacle")
    infos = []
    try:
        for _ in range(2):
            obstacle.place(env.routes[0].pose(40.0))
            infos.append(held(env, 0.0, 0.5, Start(distance=20.0, speed=6.0)))
    finally:
        obstacle.destroy()
    assert [info["termination"] for info in infos] == ["collision"] * 2
    assert infos[0]["episode"] == infos[1]["episode"]
    assert infos[0]["episode"]["collisions"] == 1.0
    assert infos[0]["episode"]["success"] == 0.0
    assert infos[0]["components"]["safety"] == -100.0


def test_a_marking_touched_does_not_end_the_episode(env: DrivingEnv) -> None:
    env.reset(seed=0, options={"start": Start(distance=20.0, right=1.2, speed=6.0)})
    *_, terminated, truncated, _ = env.step(np.array([0.05, 0.3], np.float32))
    assert not terminated
    assert not truncated


def test_lateral_deviation_is_positive_to_the_right(env: DrivingEnv) -> None:
    for right in (-1.0, 1.0):
        observation, _ = env.reset(seed=0, options={"start": Start(distance=20.0, right=right)})
        assert observation["vector"][1] == pytest.approx(right / 3.5, abs=1e-3)


def test_rolling_starts_roll_at_their_speed(env: DrivingEnv) -> None:
    observation, _ = env.reset(seed=0, options={"start": Start(distance=150.0, speed=7.0)})
    assert observation["vector"][0] * 30.0 == pytest.approx(7.0, abs=0.1)


def test_evaluations_start_at_rest_at_the_routes_start(env: DrivingEnv) -> None:
    for number in range(6):
        options = {"evaluation": True, "route": number}
        observation, info = env.reset(seed=11, options=options)
        assert info["route"] == ("right", "straight", "left")[number % 3]
        assert observation["vector"][0] == 0.0
        assert env.route_percent == 0.0


def test_routes_of_the_town_have_the_recipes_lengths(env: DrivingEnv) -> None:
    lengths = {route.name: route.length for route in env.routes}
    assert lengths == {"right": 262.0, "straight": 269.0, "left": 271.0}
    turns = {route.name: set(route.command) for route in env.routes}
    assert turns == {"right": {0.0, 1.0}, "straight": {0.0, 1.0}, "left": {0.0, -1.0}}


def test_an_action_that_is_not_a_number_never_reaches_the_simulator(env: DrivingEnv) -> None:
    env.reset(seed=0)
    with pytest.raises(ValueError, match="not finite"):
        env.step(np.array([np.nan, 0.0], np.float32))
