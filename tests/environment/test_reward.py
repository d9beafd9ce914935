"""The five reward components, as functions of numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from worker.environment.reward import (
    COMPONENTS,
    Reward,
    Tick,
    collision,
    comfort,
    efficiency,
    following_speed,
    lane_keeping,
    progress,
    safety,
    stood,
)

speeds = st.floats(0, 30)
headings = st.floats(-math.pi, math.pi)
ticks = st.builds(
    Tick,
    speed=speeds,
    lateral=st.floats(-5, 5),
    heading_error=headings,
    half_width=st.floats(1, 3),
    jerk=st.floats(-400, 400),
    crossed=st.booleans(),
    standing=st.integers(0, 1000),
    gained=st.floats(0, 3),
    waypoints=st.integers(0, 2),
    gap=st.floats(0, 100),
    time_to_collision=st.floats(0, 100),
    allowed=st.floats(0, 100),
    impact=st.none() | speeds,
    off_route=st.booleans(),
    goal=st.booleans(),
)
quickstart = Reward.of(parse_config("quickstart"))


@given(ticks)
def test_every_component_stays_in_its_documented_range(tick: Tick) -> None:
    assert -1 <= efficiency(tick.speed, tick.heading_error, 8.33, 2.0, tick.allowed) <= 1
    assert -1 <= lane_keeping(tick) <= 0.5
    assert -0.3 <= comfort(tick.speed, tick.jerk) <= 0.3
    assert -127.1 <= safety(tick, standing=0.5, off_road=20.0) <= 0
    assert 0 <= progress(tick, goal=100.0) <= 110


@given(ticks)
def test_reward_is_finite_and_each_component_carries_its_weight(tick: Tick) -> None:
    plain = Reward.of(RunConfig(**dict.fromkeys((f"reward_{n}" for n in COMPONENTS), 1.0)))(tick)
    heavy = Reward.of(RunConfig(**dict.fromkeys((f"reward_{n}" for n in COMPONENTS), 4.0)))(tick)
    assert all(math.isfinite(reward) for reward in plain)
    assert heavy == tuple(4.0 * reward for reward in plain)


@given(speeds, speeds, st.floats(0.1, 60))
def test_without_an_overspeed_slope_faster_is_never_less_efficient(
    one: float, other: float, target: float
) -> None:
    slow, fast = sorted((one, other))
    assert efficiency(slow, 0.0, target, 0.0) <= efficiency(fast, 0.0, target, 0.0)


def test_with_an_overspeed_slope_efficiency_peaks_at_the_target_speed() -> None:
    assert efficiency(8.33, 0.0, 8.33, 2.0) == 1.0
    assert efficiency(8.33 * 1.5, 0.0, 8.33, 2.0) == pytest.approx(0.0)
    assert efficiency(30.0, 0.0, 8.33, 2.0) == -1.0


@given(speeds, st.floats(math.pi / 2 + 0.01, math.pi))
def test_driving_the_wrong_way_is_never_efficient_nor_safe(speed: float, heading: float) -> None:
    tick = Tick(speed, 0.0, heading)
    assert efficiency(speed, heading, 8.33, 2.0) <= 0.0
    assert safety(tick, 0.5, 20.0) <= -1.0


@given(speeds, st.floats(0, 1.75), headings)
def test_left_and_right_of_the_lane_are_worth_the_same(
    speed: float, lateral: float, heading: float
) -> None:
    assert lane_keeping(Tick(speed, lateral, heading)) == lane_keeping(
        Tick(speed, -lateral, -heading)
    )


def test_lane_keeping_is_best_centred_aligned_and_moving() -> None:
    assert lane_keeping(Tick(3.0, 0.0, 0.0)) == 0.5
    assert lane_keeping(Tick(0.0, 0.0, 0.0)) == 0.0
    assert lane_keeping(Tick(3.0, 1.75, 0.0)) == 0.0
    assert lane_keeping(Tick(3.0, 0.0, 0.0, crossed=True)) == -1.0


@pytest.mark.parametrize(
    ("speed", "waiting", "ticks"), [(0.0, False, 8), (0.0, True, 0), (2.0, False, 0)]
)
def test_waiting_behind_a_vehicle_is_no_standing(speed: float, waiting: bool, ticks: int) -> None:
    assert stood(7, speed, waiting) == ticks


@given(st.floats(0, 100), st.floats(0, 30), st.floats(0.1, 20))
def test_the_following_speed_stops_short_of_a_vehicle_that_brakes(
    gap: float, lead: float, harder: float
) -> None:
    """Both brake with 3 m/s2: what one covers more than the other is what was between them, but for 6 m."""
    speed = following_speed(gap, lead)
    closed = (speed**2 - lead**2) / (2 * 3.0)
    assert closed == pytest.approx(max(0.0, gap - 6.0), abs=1e-6)
    assert following_speed(gap + harder, lead) >= speed
    assert following_speed(gap, -lead) == following_speed(gap, 0.0)


@given(speeds, st.floats(0, 30))
def test_efficiency_is_one_at_the_speed_that_is_allowed_and_less_on_both_sides(
    speed: float, allowed: float
) -> None:
    best = min(8.33, allowed)
    assert efficiency(best, 0.0, 8.33, 2.0, allowed) == pytest.approx(1.0)
    if abs(speed - best) > 0.01:
        assert efficiency(speed, 0.0, 8.33, 2.0, allowed) < 1.0


@given(speeds, headings, st.floats(30, 100))
def test_what_no_speed_exceeds_is_a_free_road(speed: float, heading: float, allowed: float) -> None:
    assert efficiency(speed, heading, 8.33, 2.0, allowed) == efficiency(speed, heading, 8.33, 2.0)


@given(speeds, st.floats(0, 30), st.floats(0, 0.1), st.sampled_from([0.0, 2.0]))
def test_efficiency_does_not_jump_where_a_vehicle_ahead_begins_to_matter(
    speed: float, allowed: float, less: float, slope: float
) -> None:
    near = efficiency(speed, 0.0, 8.33, slope, max(0.0, allowed - less))
    assert abs(near - efficiency(speed, 0.0, 8.33, slope, allowed)) <= 0.5 * less + 1e-9


def test_half_a_minute_in_a_queue_pays_and_driving_into_it_does_not() -> None:
    def waited(following: bool) -> float:
        """600 ticks a metre behind where to stop."""
        ticks, total = 0, 0.0
        allowed = following_speed(7.0, 0.0) if following else math.inf
        for _ in range(600):
            ticks = stood(ticks, 0.0, waiting=following)
            total += sum(quickstart(Tick(0.0, 0.0, 0.0, standing=ticks, gap=7.0, allowed=allowed)))
        return total

    hit = sum(quickstart(Tick(8.0, 0.0, 0.0, impact=8.0)))
    assert waited(following=True) > 0.0 > hit > waited(following=False)


def test_standing_is_punished_little_at_first_and_fully_after_ten_seconds() -> None:
    def penalty(standing: int) -> float:
        return safety(Tick(0.0, 0.0, 0.0, standing=standing), standing=0.5, off_road=20.0)

    assert penalty(0) == 0.0
    assert penalty(1) == pytest.approx(-0.05225)
    assert penalty(200) == penalty(2000) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("impact", "penalty"), [(0.0, 5.0), (1.99, 5.0), (2.0, 25.0), (4.99, 25.0), (5.0, 100.0)]
)
def test_collision_costs_by_impact_speed(impact: float, penalty: float) -> None:
    assert collision(impact) == penalty


def test_closeness_and_short_time_to_collision_are_punished_separately() -> None:
    assert safety(Tick(8.0, 0.0, 0.0, gap=5.0), 0.5, 20.0) == -0.25
    assert safety(Tick(8.0, 0.0, 0.0, time_to_collision=1.5), 0.5, 20.0) == -0.5
    assert safety(Tick(8.0, 0.0, 0.0, gap=10.0, time_to_collision=3.0), 0.5, 20.0) == 0.0


def test_progress_pays_ground_waypoints_and_goal_up_to_its_clip() -> None:
    assert progress(Tick(8.0, 0.0, 0.0, gained=0.4, waypoints=1), 100.0) == pytest.approx(1.2)
    assert progress(Tick(8.0, 0.0, 0.0, goal=True), 100.0) == 100.0
    assert progress(Tick(8.0, 0.0, 0.0, gained=60.0), 100.0) == 30.0
    assert progress(Tick(8.0, 0.0, 0.0, gained=60.0, goal=True), 100.0) == 110.0


def test_presets_weigh_as_the_domain_says() -> None:
    assert quickstart.weights == (2.0, 2.0, 1.0, 1.0, 3.0)
    assert Reward.of(parse_config("paper")).overspeed_slope == 0.0
