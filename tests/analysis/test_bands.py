"""A band over seeds: its centre is the named statistic, its interval holds it, whole runs are drawn again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.analysis.bands import Centre, band, on_grid, shared_grid
from backend.analysis.compare import interquartile_mean

VALUES = arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.floats(-1e3, 1e3)
)


@given(VALUES)
def test_the_centre_is_the_statistic_of_each_place(values: np.ndarray) -> None:
    iqm, *_ = band(values, Centre.IQM)
    assert iqm == pytest.approx([interquartile_mean(column) for column in values.T], abs=1e-9)
    mean, *_ = band(values, Centre.MEAN)
    assert mean == pytest.approx(values.mean(axis=0))


@given(VALUES)
def test_the_band_lies_within_the_runs_and_in_order(values: np.ndarray) -> None:
    _, low, high = band(values, Centre.IQM)
    assert (low <= high).all()
    assert (low >= values.min(axis=0) - 1e-9).all()
    assert (high <= values.max(axis=0) + 1e-9).all()


def test_seeds_that_agree_have_a_narrow_band_and_those_that_do_not_a_wide_one() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (8, 3))
    _, low, high = band(100 + noise, Centre.MEAN)
    _, wide_low, wide_high = band(100 + 10 * noise, Centre.MEAN)
    assert ((high - low) < 3).all()
    assert (wide_high - wide_low) == pytest.approx(10 * (high - low))


def test_curves_are_compared_only_where_all_have_points() -> None:
    first, second = np.array([0.0, 10, 20]), np.array([5.0, 15])
    grid = shared_grid([first, second], 11)
    assert (grid[0], grid[-1]) == (5, 15)
    assert on_grid(grid, first, np.array([0.0, 100, 200]))[5] == 100
    assert len(shared_grid([first, np.array([30.0, 40])], 11)) == 0


def test_a_value_that_is_not_finite_is_passed_over() -> None:
    x = np.array([0.0, 1, 2])
    assert on_grid(np.array([1.0]), x, np.array([0.0, np.nan, 4])) == [2]
    assert np.isnan(on_grid(np.array([1.0]), x, np.full(3, np.nan))).all()
