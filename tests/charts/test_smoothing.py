"""The moving average is what its name and time constant say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.charts.smoothing import ema, time_constant


def test_after_one_time_constant_a_jump_is_followed_by_63_percent() -> None:
    x = np.arange(101.0)
    y = np.where(x == 0, 0.0, 1.0)

    assert np.isclose(ema(x, y, 100.0)[-1], 1 - np.exp(-1))


def test_gaps_count_by_their_length() -> None:
    dense = ema(np.arange(11.0), np.array([0.0] + [1.0] * 10), 5.0)
    sparse = ema(np.array([0.0, 10.0]), np.array([0.0, 1.0]), 5.0)

    assert np.isclose(dense[-1], sparse[-1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.1, 100))
def test_the_average_stays_within_what_it_saw(values: list[float], tau: float) -> None:
    smooth = ema(np.arange(len(values), dtype=float), np.array(values), tau)

    assert (smooth >= min(values) - 1e-6).all()
    assert (smooth <= max(values) + 1e-6).all()


def test_a_value_that_is_not_finite_does_not_poison_the_rest() -> None:
    smooth = ema(np.arange(4.0), np.array([1.0, np.nan, np.inf, 1.0]), 2.0)

    assert smooth.tolist() == [1, 1, 1, 1]


def test_the_slider_at_zero_smooths_nothing() -> None:
    assert time_constant(0.0, 1000.0) == 0
    assert time_constant(0.5, 1000.0) == 10
