"""The driving task seen through the camera."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from backend.runs.parsing import parse_config
from tests.environment.test_carla_env import roll, wandering
from worker.environment import SimulatorAddress
from worker.environment.carla_env import DrivingEnv
from worker.environment.starts import Start


def test_it_passes_gymnasiums_own_checker_with_frames(simulator: SimulatorAddress) -> None:
    env = DrivingEnv(parse_config("vision-small"), simulator)
    check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("weather", ["ClearNoon", "HardRainNoon"])
def test_frames_replay_bit_for_bit_in_a_new_environment(
    simulator: SimulatorAddress, weather: str
) -> None:
    rollouts = []
    for _ in range(2):
        env = DrivingEnv(parse_config("vision-small", {"weather": weather}), simulator)
        rollouts.append(roll(env, 7, wandering(25)))
        env.close()
    assert rollouts[0] == rollouts[1]


@pytest.mark.parametrize(("width", "height"), [(84, 84), (336, 252)])
def test_the_agent_sees_each_new_frame_last_in_the_stack(
    simulator: SimulatorAddress, width: int, height: int
) -> None:
    config = parse_config("vision-small", {"camera_width": width, "camera_height": height})
    env = DrivingEnv(config, simulator)
    observation, _ = env.reset(seed=0, options={"start": Start(distance=70.0, speed=8.0)})
    first = observation["image"]
    assert all(np.array_equal(first[0], frame) for frame in first)
    assert np.ptp(first[0]) > 20
    second = env.step(np.array([0.0, 0.5], np.float32))[0]["image"]
    assert np.array_equal(second[:3], first[1:])
    assert not np.array_equal(second[3], first[3])
    assert env.last_rgb is not None
    assert env.last_rgb.shape == (height, width, 3)
    env.close()


def test_the_command_comes_with_the_frames(simulator: SimulatorAddress) -> None:
    env = DrivingEnv(parse_config("vision-small"), simulator)
    for distance, command in ((20.0, 0.0), (80.0, 1.0), (120.0, 0.0)):
        start = Start(distance=distance, speed=6.0)
        observation, _ = env.reset(seed=0, options={"start": start})
        assert observation["command"] == pytest.approx([0.2, command], abs=0.01)
    env.close()
