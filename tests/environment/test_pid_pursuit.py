"""The hand-written driver."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.runs.parsing import parse_config
from tests.environment.test_observation import tracked
from worker.baselines.pid_pursuit import PidPursuit, Steering
from worker.environment import SimulatorAddress, make_environment
from worker.environment.observation import VECTOR_SCALE
from worker.evaluation import evaluate, random_policy


def act(distance: float, right: float = 0.0, turn: float = 0.0) -> np.ndarray:
    return PidPursuit()({"vector": tracked(distance, right, turn)[1] * VECTOR_SCALE})


def test_it_steers_back_to_the_middle_of_the_lane() -> None:
    assert act(5.0, right=1.0)[0] < 0.0 < act(5.0, right=-1.0)[0]
    assert act(5.0, turn=0.3)[0] < 0.0 < act(5.0, turn=-0.3)[0]


def test_it_drives_straight_on_a_straight() -> None:
    assert act(5.0)[0] == pytest.approx(0.0, abs=1e-4)


def test_it_accelerates_on_a_straight_and_slows_before_a_turn() -> None:
    numbers, turning = tracked(0.0)[1].copy(), tracked(42.0)[1].copy()
    numbers[0], turning[0] = 7.0 / 30.0, 7.0 / 30.0
    assert PidPursuit()({"vector": numbers * VECTOR_SCALE})[1] > 0.0
    assert PidPursuit()({"vector": turning * VECTOR_SCALE})[1] < 0.0


@given(st.floats(0, 118), st.floats(-4, 4), st.floats(-math.pi, math.pi))
def test_its_actions_always_lie_in_the_box(distance: float, right: float, turn: float) -> None:
    action = act(distance, right, turn)
    assert action.dtype == np.float32
    assert np.abs(action).max() <= 1.0


def test_faster_cars_steer_further_for_the_same_curve() -> None:
    steering = Steering()
    assert steering.steer(0.02, 4.0) < steering.steer(0.02, 18.0) <= 1.0
    assert steering.steer(-0.02, 4.0) == -steering.steer(0.02, 4.0)


def test_it_completes_the_towns_routes_in_every_episode(simulator: SimulatorAddress) -> None:
    config = parse_config("quickstart", {"routes": ["right", "straight", "left"]})
    env = make_environment(config, simulator)
    result = evaluate(env, PidPursuit(), range(21))
    assert result.success_rate == 1.0
    assert result.success_interval[0] > 0.8
    assert (result.mean("collisions"), result.mean("lane_invasions")) == (0.0, 0.0)
    assert result.completion_seconds == pytest.approx(36.0, abs=4.0)
    env.close()


def test_it_earns_far_more_than_the_random_policy(simulator: SimulatorAddress) -> None:
    env = make_environment(parse_config("quickstart"), simulator)
    driver = evaluate(env, PidPursuit(), range(2))
    random = evaluate(env, random_policy(env.action_space, 0), range(4), screening=2)
    assert len(random.episodes) == 2
    assert random.success_rate == 0.0
    assert driver.return_mean > 5 * random.return_mean
    env.close()


def test_an_evaluation_repeats_bit_for_bit(simulator: SimulatorAddress) -> None:
    env = make_environment(parse_config("quickstart"), simulator)
    first = evaluate(env, PidPursuit(), [3, 4])
    evaluate(env, random_policy(env.action_space, 1), [9])
    assert evaluate(env, PidPursuit(), [3, 4]) == first
    env.close()
