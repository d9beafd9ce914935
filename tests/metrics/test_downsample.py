"""Pixel columns partition the points, and each tells their exact min, max, mean and count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.columns import Columns
from backend.metrics.downsample import Blocks, downsample
from backend.metrics.levels import Summary

VALUES = st.lists(
    st.one_of(st.floats(-1e9, 1e9), st.sampled_from([np.nan, np.inf, -np.inf])),
    min_size=1,
    max_size=200,
)


def points_of(values: list[float]) -> Columns:
    step = np.arange(len(values))
    return Columns.of(step, step // 7, step * 0.5, values)


@given(VALUES, st.integers(1, 50))
def test_columns_partition_the_points(values: list[float], columns: int) -> None:
    curve = downsample([points_of(values)], "step", 0, len(values), columns)

    assert curve.count.sum() == len(values)
    assert len(curve) <= columns
    edges = np.cumsum(curve.count)[:-1]
    for i, part in enumerate(np.split(np.array(values), edges)):
        finite = part[np.isfinite(part)]
        assert curve.nonfinite[i] == len(part) - len(finite)
        if len(finite):
            assert (curve.low[i], curve.high[i]) == (finite.min(), finite.max())
            assert np.isclose(curve.mean[i], finite.mean(), rtol=1e-9, atol=1e-6)
        else:
            assert np.isnan([curve.low[i], curve.high[i], curve.mean[i]]).all()


@given(st.lists(st.floats(-1e9, 1e9), min_size=64, max_size=64 * 8))
def test_summaries_say_the_same_as_the_points_they_stand_for(values: list[float]) -> None:
    points = points_of(values[: len(values) // 64 * 64])
    summary = Blocks.of_summary(Summary.of_points(points), "episode", 64)
    one, other = (downsample([part], "episode", 0, 1000, 1) for part in (summary, points))

    assert (one.low, one.high, one.count) == (other.low, other.high, other.count)
    assert np.isclose(one.mean, other.mean)


def test_a_mean_of_the_largest_floats_stays_in_its_band() -> None:
    curve = downsample([points_of([1.7e308] * 4)], "step", 0, 4, 1)

    assert curve.low <= curve.mean <= curve.high


def test_no_points_give_an_empty_curve() -> None:
    assert len(downsample([Columns.empty()], "step", 0, 1, 10)) == 0


def test_points_at_one_place_fall_into_one_column() -> None:
    points = Columns.of([5] * 3, [0] * 3, [0.0] * 3, [1, 2, 3])

    assert downsample([points], "step", 5, 5, 100).count.tolist() == [3]
