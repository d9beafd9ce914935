"""Who is ahead on the route, and who is close enough to touch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.environment.test_route import path, right_turn
from worker.environment.ahead import NOTHING_AHEAD, ahead
from worker.environment.boxes import Box, overlap
from worker.environment.route import Tracker, densify


def driving(distance: float) -> tuple[Tracker, Box]:
    route = right_turn()
    pose = route.pose(distance)
    tracker = Tracker(route)
    tracker.start(route.index(distance), pose.x, pose.y, pose.yaw)
    return tracker, Box(pose.x, pose.y, pose.yaw, 2.4, 1.0)


def on_route(tracker: Tracker, distance: float, right: float = 0.0) -> Box:
    pose = tracker.route.pose(distance, right)
    return Box(pose.x, pose.y, pose.yaw, 2.4, 1.0)


def test_gap_is_bumper_to_bumper_and_time_by_closing_speed() -> None:
    tracker, own = driving(10.0)
    found = ahead(tracker, own, on_route(tracker, 30.0), 8.0, (3.0, 0.0))
    assert found.gap == pytest.approx(20.0 - 4.8)
    assert found.time_to_collision == pytest.approx(15.2 / 5.0)


def test_a_vehicle_that_pulls_away_has_a_gap_but_no_time_to_collision() -> None:
    tracker, own = driving(10.0)
    found = ahead(tracker, own, on_route(tracker, 30.0), 8.0, (9.0, 0.0))
    assert found.time_to_collision == math.inf


def test_the_closing_speed_round_a_bend_is_along_the_route_there() -> None:
    tracker, own = driving(40.0)
    other = on_route(tracker, 75.0)  # past the quarter turn, where it drives in y
    found = ahead(tracker, own, other, 8.0, (0.0, 5.0))
    assert found.closing == pytest.approx(3.0, abs=0.01)
    assert found.time_to_collision == pytest.approx(found.gap / 3.0, rel=0.01)


def test_a_gap_of_fifty_metres_is_the_largest_that_is_told() -> None:
    route = densify("straight", path((200.0, 0.0)))
    tracker = Tracker(route)
    tracker.start(0, 0.0, 0.0, 0.0)
    own = Box(0.0, 0.0, 0.0, 2.4, 1.0)
    near, far = (Box(54.8 + beyond, 0.0, 0.0, 2.4, 1.0) for beyond in (-0.1, 0.1))
    assert ahead(tracker, own, near, 8.0, (0.0, 0.0)).gap == pytest.approx(49.9)
    assert ahead(tracker, own, far, 8.0, (0.0, 0.0)) == NOTHING_AHEAD


def test_where_a_route_crosses_itself_the_first_crossing_counts() -> None:
    """A loop of 6 m radius: the same place is 15 m ahead and again 52 m."""
    route = densify("loop", path((21.0, 0.0), (1.5 * math.pi * 6, 1 / 6), (20.0, 0.0)))
    tracker = Tracker(route)
    tracker.start(0, 0.0, 0.0, 0.0)
    own = Box(0.0, 0.0, 0.0, 2.4, 1.0)
    second = np.hypot(route.x - 15.0, route.y)[60:].min()
    found = ahead(tracker, own, Box(15.0, 0.0, 0.0, 2.4, 1.0), 8.0, (0.0, 0.0))
    assert second < 0.5
    assert found.gap == pytest.approx(15.0 - 4.8, abs=0.1)


def test_a_vehicle_round_the_bend_is_seen_along_the_route() -> None:
    tracker, own = driving(40.0)
    other = on_route(tracker, 70.0)
    found = ahead(tracker, own, other, 8.0, (0.0, 0.0))
    assert found.gap == pytest.approx(30.0 - 4.8, abs=0.6)


def test_oncoming_traffic_in_the_next_lane_is_not_in_the_way() -> None:
    tracker, own = driving(10.0)
    assert ahead(tracker, own, on_route(tracker, 30.0, -3.5), 8.0, (-8.0, 0.0)) == NOTHING_AHEAD


def test_a_vehicle_behind_is_not_ahead() -> None:
    tracker, own = driving(30.0)
    assert ahead(tracker, own, on_route(tracker, 22.0), 8.0, (9.0, 0.0)) == NOTHING_AHEAD


def test_the_gap_is_told_between_the_routes_points_too() -> None:
    tracker, own = driving(10.0)
    for beyond in (0.0, 0.1, 0.26, 0.4):
        other = on_route(tracker, 30.0)
        other = other._replace(x=other.x + beyond)
        assert ahead(tracker, own, other, 8.0, (0.0, 0.0)).gap == pytest.approx(15.2 + beyond)


@pytest.mark.parametrize("beyond", [0.0, 1.5, 2.5, 3.5])
def test_what_stands_past_the_routes_end_is_in_the_way_of_who_drives_to_the_goal(
    beyond: float,
) -> None:
    length = right_turn().length
    tracker, own = driving(length - 20.0)
    end = tracker.route.pose(length)
    x, y = end.x + beyond * math.cos(end.yaw), end.y + beyond * math.sin(end.yaw)
    other = Box(x, y, end.yaw, 2.4, 1.0)
    found = ahead(tracker, own, other, 8.0, (0.0, 0.0))
    assert found.gap == pytest.approx(20.0 + beyond - 4.8, abs=0.3)


@pytest.mark.parametrize("right", [-3.0, -2.4, 0.0, 2.4, 3.0])
def test_a_vehicle_across_the_lane_is_in_the_way_as_far_as_it_reaches(right: float) -> None:
    tracker, own = driving(10.0)
    across = on_route(tracker, 30.0, right)
    across = across._replace(yaw=across.yaw + math.pi / 2)
    assert ahead(tracker, own, across, 8.0, (0.0, 0.0)).gap == pytest.approx(20.0 - 1.0 - 2.4)


def test_a_vehicle_across_the_next_lane_that_ends_before_ours_is_not_in_the_way() -> None:
    tracker, own = driving(10.0)
    across = on_route(tracker, 30.0, -3.7)
    across = across._replace(yaw=across.yaw + math.pi / 2)
    assert ahead(tracker, own, across, 8.0, (0.0, 0.0)) == NOTHING_AHEAD


@given(st.floats(-6, 6), st.floats(0, math.tau), st.floats(3, 40))
def test_what_the_vehicle_would_drive_into_is_ahead_before_it_is_touched(
    right: float, turn: float, distance: float
) -> None:
    """Slid along the straight in steps of 5 cm, as far as the first contact."""
    tracker, own = driving(2.0)
    pose = tracker.route.pose(2.0 + distance, right)
    other = Box(pose.x, pose.y, pose.yaw + turn, 2.4, 1.0)
    travelled = np.arange(0.0, distance + 6.0, 0.05)
    touching = (overlap(own._replace(x=own.x + float(s)), other) for s in travelled)
    contact = next(
        (float(s) for s, touched in zip(travelled, touching, strict=True) if touched), None
    )
    found = ahead(tracker, own, other, 8.0, (0.0, 0.0))
    if contact:
        assert found.gap <= contact + 0.3


boxes = st.builds(
    Box,
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(-math.pi, math.pi),
    st.floats(1, 3),
    st.floats(0.5, 1.5),
)


@given(boxes, boxes)
def test_overlap_is_symmetric(a: Box, b: Box) -> None:
    assert overlap(a, b) == overlap(b, a)


@given(boxes, st.floats(-math.pi, math.pi), st.floats(0.1, 3.0))
def test_boxes_further_apart_than_their_corners_reach_never_overlap(
    box: Box, bearing: float, extra: float
) -> None:
    far = 2 * math.hypot(box.half_length, box.half_width) + extra
    other = box._replace(x=box.x + far * math.cos(bearing), y=box.y + far * math.sin(bearing))
    assert overlap(box, box)
    assert not overlap(box, other)


def test_cars_side_by_side_in_their_lanes_do_not_touch() -> None:
    left, right = Box(0, 0, 0, 2.4, 1.0), Box(0, 3.5, math.pi, 2.4, 1.0)
    assert not overlap(left, right, margin=0.3)
    assert overlap(left, right._replace(y=2.2), margin=0.3)
