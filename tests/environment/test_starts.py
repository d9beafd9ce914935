"""Where episodes start."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.runs.parsing import parse_config
from tests.environment.test_route import right_turn
from worker.environment.starts import Start, draw_evaluation, draw_training

ROUTES = [right_turn(), right_turn()]


@given(st.integers(0, 2**32))
def test_the_seed_alone_decides_a_start(seed: int) -> None:
    config = parse_config("quickstart")
    one, other = (draw_training(np.random.default_rng(seed), config, ROUTES) for _ in range(2))
    assert one == other


@given(st.integers(0, 2**32))
def test_training_starts_leave_road_to_drive_and_stay_in_the_lane(seed: int) -> None:
    start = draw_training(np.random.default_rng(seed), parse_config("quickstart"), ROUTES)
    assert 0.0 <= start.distance <= ROUTES[0].length - 20.0
    assert abs(start.right) <= 0.3
    assert 0.0 <= start.speed <= 9.0


def test_the_share_of_rolling_starts_is_the_configured_one() -> None:
    rng, config = np.random.default_rng(0), parse_config("quickstart")
    rolling = [draw_training(rng, config, ROUTES).speed > 0 for _ in range(1000)]
    assert 0.65 < np.mean(rolling) < 0.75


def test_evaluations_start_at_rest_and_take_the_routes_in_turn() -> None:
    rng, config = np.random.default_rng(0), parse_config("quickstart")
    starts = [draw_evaluation(rng, config, ROUTES, number) for number in range(4)]
    assert [start.route for start in starts] == [0, 1, 0, 1]
    assert all(start.speed == 0.0 and start.distance <= 8.0 for start in starts)


def test_without_jitter_every_evaluation_starts_at_the_same_place() -> None:
    config = parse_config("paper")
    assert draw_evaluation(np.random.default_rng(5), config, ROUTES, 0) == Start()
