"""Routes as points, and following a vehicle along them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.environment.route import COMMAND_LEAD, SPACING, Path, Route, Tracker, densify


def path(*pieces: tuple[float, float], turn_sign: bool = True) -> Path:
    """Pieces of (length in metres, curvature in 1/m), sampled unevenly."""
    x = y = yaw = 0.0
    rows = [(x, y, 0.0, yaw, 1.75, 0.0)]
    for length, curvature in pieces:
        count = math.ceil(length / 0.37)
        for _ in range(count):
            step = length / count
            middle = yaw + curvature * step / 2
            x, y = x + step * math.cos(middle), y + step * math.sin(middle)
            yaw += curvature * step
            rows.append((x, y, 0.0, yaw, 1.75, math.copysign(1, curvature) if curvature else 0.0))
    return Path(*np.array(rows).T)


def right_turn() -> Route:
    return densify("test", path((50.0, 0.0), (12 * math.pi / 2, 1 / 12), (50.0, 0.0)))


def test_densified_route_has_even_spacing_and_its_paths_length() -> None:
    route = right_turn()
    steps = np.hypot(np.diff(route.x), np.diff(route.y))
    assert steps == pytest.approx(SPACING, abs=1e-3)
    assert route.length == pytest.approx(100 + 12 * math.pi / 2, abs=SPACING)
    assert route.goal == route.length - 1.0


def test_doubled_points_where_lanes_meet_do_not_bend_the_route() -> None:
    plain = path((40.0, 0.0), (20.0, 0.01))
    doubled = Path(*(np.repeat(column, 2) for column in vars(plain).values()))
    assert densify("a", doubled).x == pytest.approx(densify("b", plain).x)


def test_command_leads_a_turn_by_fifteen_metres_and_ends_with_it() -> None:
    route = right_turn()
    turning = np.flatnonzero(route.command == 1.0) * SPACING
    assert turning[0] == pytest.approx(50.0 - COMMAND_LEAD, abs=1.0)
    assert turning[-1] == pytest.approx(50.0 + 12 * math.pi / 2, abs=1.0)
    assert set(route.command) == {0.0, 1.0}


def test_command_of_a_near_left_turn_does_not_overwrite_the_right_turn_before_it() -> None:
    route = densify("s", path((30.0, 0.0), (15.0, 1 / 10), (5.0, 0.0), (15.0, -1 / 10), (9.0, 0.0)))
    commands = route.command
    assert commands[route.index(40.0)] == 1.0
    assert commands[route.index(47.5)] == -1.0
    assert commands[route.index(55.0)] == -1.0


@given(st.floats(2.0, 110.0), st.floats(-2.4, 2.4), st.floats(-1.0, 1.0))
def test_tracker_finds_the_pose_it_was_given(distance: float, right: float, turn: float) -> None:
    route = right_turn()
    pose = route.pose(distance, right, turn)
    tracker = Tracker(route)
    tracker.start(route.index(distance), pose.x, pose.y, pose.yaw)
    assert tracker.lateral == pytest.approx(right, abs=1e-2)
    assert tracker.distance == pytest.approx(distance, abs=SPACING)
    assert tracker.heading_error == pytest.approx(turn, abs=2e-2)


@given(st.floats(0.05, 3.0), st.floats(-2.0, 2.0))
def test_tracker_follows_a_drive_from_start_to_goal(step: float, right: float) -> None:
    route = right_turn()
    tracker = Tracker(route)
    tracker.start(0, route.x[0], route.y[0], 0.0)
    for distance in np.arange(0.0, route.length, step):
        pose = route.pose(float(distance), right)
        tracker.update(pose.x, pose.y, pose.yaw)
        assert abs(tracker.distance - distance) < 1.0
        assert tracker.lateral == pytest.approx(right, abs=0.05)


def test_lateral_is_positive_to_the_right_and_heading_positive_clockwise() -> None:
    tracker = Tracker(right_turn())
    tracker.start(20, 10.0, 1.0, 0.2)
    assert tracker.lateral == pytest.approx(1.0)
    assert tracker.heading_error == pytest.approx(0.2)


def test_going_back_does_not_lose_the_furthest_distance() -> None:
    tracker = Tracker(right_turn())
    tracker.start(20, 10.0, 0.0, 0.0)
    tracker.update(15.0, 0.0, 0.0)
    tracker.update(12.0, 0.0, 0.0)
    assert (tracker.distance, tracker.furthest) == (12.0, 15.0)


def test_a_new_start_forgets_the_furthest_distance() -> None:
    tracker = Tracker(right_turn())
    tracker.start(60, 30.0, 0.0, 0.0)
    tracker.start(10, 5.0, 0.0, 0.0)
    assert tracker.furthest == 5.0
