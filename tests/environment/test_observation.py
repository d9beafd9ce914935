"""The 53-vector, frames and their scaling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.environment.test_route import right_turn
from worker.environment.ahead import Ahead
from worker.environment.observation import (
    FRAME_SIZE,
    SCALES,
    FrameStack,
    Resizer,
    command,
    gray,
    observation_space,
    scaled,
    vector,
    vehicle_ahead,
)
from worker.environment.route import Tracker


def tracked(distance: float, right: float = 0.0, turn: float = 0.0) -> tuple[Tracker, np.ndarray]:
    route = right_turn()
    tracker, pose = Tracker(route), route.pose(distance, right, turn)
    tracker.start(route.index(distance), pose.x, pose.y, pose.yaw)
    return tracker, vector(tracker, pose.x, pose.y, pose.yaw, 6.0)


def test_vector_holds_speed_signed_deviation_heading_and_25_waypoints() -> None:
    _, numbers = tracked(0.0, right=1.0, turn=0.1)
    assert numbers.shape == (53,)
    assert numbers.dtype == np.float32
    assert numbers[0] == pytest.approx(6 / 30)
    assert numbers[1] == pytest.approx(1.0 / 3.5)
    assert numbers[2] == pytest.approx(0.1 / math.pi)


def test_left_and_right_deviation_differ_in_sign() -> None:
    assert tracked(10.0, right=1.0)[1][1] == -tracked(10.0, right=-1.0)[1][1]


def test_waypoints_on_a_straight_lie_every_two_metres_ahead() -> None:
    _, numbers = tracked(0.0)
    waypoints = numbers[3:].reshape(25, 2) * 50.0
    assert waypoints[:, 0] == pytest.approx(np.arange(1, 26) * 2.0, abs=1e-3)
    assert waypoints[:, 1] == pytest.approx(0.0, abs=1e-3)


def test_waypoints_are_in_the_vehicles_frame() -> None:
    _, numbers = tracked(4.0, turn=math.pi / 2)
    forward, right = numbers[3:5] * 50.0
    assert (forward, right) == pytest.approx((0.0, -2.0), abs=1e-3)


def test_waypoints_past_the_end_of_the_route_are_zero() -> None:
    tracker, numbers = tracked(108.5)
    waypoints = numbers[3:].reshape(25, 2)
    left = int((tracker.route.length - 108.5) / 2.0)
    assert np.all(waypoints[left:] == 0.0)
    assert np.all(waypoints[:left, 0] > 0.0)


@given(st.floats(0, 118), st.floats(-45, 45), st.floats(-math.pi, math.pi))
def test_observation_lies_in_its_space(distance: float, right: float, turn: float) -> None:
    _, numbers = tracked(distance, right, turn)
    assert observation_space(None).contains({"vector": numbers})


@pytest.mark.parametrize(
    ("gap", "closing", "near", "speed"),
    [(math.inf, 0.0, 0.0, 0.0), (60.0, 3.0, 0.0, 0.1), (10.0, -6.0, 0.8, -0.2), (0.0, 15.0, 1.0, 0.5)],
    ids=["nobody", "far", "pulls away", "at the bumper"],
)  # fmt: skip
def test_the_vehicle_ahead_is_nearness_and_closing_speed(
    gap: float, closing: float, near: float, speed: float
) -> None:
    numbers = vehicle_ahead(Ahead(gap, math.inf, closing))
    assert numbers.tolist() == pytest.approx([near, speed])
    assert observation_space(None, vehicle_ahead=True)["ahead"].contains(numbers)


def test_only_who_asks_for_it_is_told_of_the_vehicle_ahead() -> None:
    assert set(observation_space(None).spaces) == {"vector"}
    assert set(observation_space(None, vehicle_ahead=True).spaces) == {"vector", "ahead"}
    assert set(observation_space(4, vehicle_ahead=True).spaces) == {
        "vector", "ahead", "image", "command"
    }  # fmt: skip


def test_command_announces_the_turn() -> None:
    assert command(tracked(10.0)[0], 15.0).tolist() == [0.5, 0.0]
    assert command(tracked(40.0)[0], 15.0).tolist() == [0.5, 1.0]


def test_scaling_multiplies_numbers_and_leaves_images_alone() -> None:
    image = np.zeros((4, FRAME_SIZE, FRAME_SIZE), np.uint8)
    numbers = {name: np.ones(scale.shape, np.float32) for name, scale in SCALES.items()}
    result = scaled({**numbers, "image": image})
    for name, scale in SCALES.items():
        assert np.array_equal(result[name], scale)
    assert result["image"] is image
    assert np.all(numbers["vector"] == 1.0)


def test_gray_weighs_green_most_and_ignores_alpha() -> None:
    pixels = np.array([[[255, 0, 0, 9], [0, 255, 0, 9], [0, 0, 255, 9]]], dtype=np.uint8)
    assert gray(pixels)[0] == pytest.approx([29.07, 149.685, 76.245], rel=1e-5)


@given(st.integers(16, 400), st.integers(16, 300), st.integers(0, 255))
def test_resizing_a_flat_image_keeps_its_value(width: int, height: int, value: int) -> None:
    flat = np.full((height, width), value, np.float32)
    assert np.all(Resizer(width, height)(flat) == value)


def test_resizing_by_a_whole_factor_takes_the_mean_of_each_block() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (252, 336)).astype(np.float32)
    blocks = image.reshape(84, 3, 84, 4).mean(axis=(1, 3))
    assert np.abs(Resizer(336, 252)(image) - blocks).max() <= 0.51


def test_frame_stack_begins_with_its_first_frame_and_keeps_the_newest_last() -> None:
    stack = FrameStack(3)
    first, second = (np.full((FRAME_SIZE, FRAME_SIZE), value, np.uint8) for value in (1, 2))
    filled = stack.fill(first)
    pushed = stack.push(second)
    assert filled[:, 0, 0].tolist() == [1, 1, 1]
    assert pushed[:, 0, 0].tolist() == [1, 1, 2]
