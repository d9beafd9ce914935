"""Comparison of groups, against values worked out by hand or published."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis.compare import (
    bootstrap,
    interquartile_mean,
    mann_whitney,
    probability_of_improvement,
    wilson,
)

DISTINCT = st.lists(st.integers(-1_000, 1_000), min_size=2, max_size=8, unique=True)


def test_the_interquartile_mean_ignores_the_outer_quarters() -> None:
    assert interquartile_mean([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9]) == 3.5
    assert math.isnan(interquartile_mean([]))


def test_the_bootstrap_interval_holds_its_estimate_and_repeats() -> None:
    scores = np.random.default_rng(3).normal(10, 2, 12)
    first, second = bootstrap([scores]), bootstrap([scores])
    assert first == second
    assert first.low < first.value < first.high
    assert first.high - first.low < 4


def test_a_task_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match="without runs"):
        bootstrap([[1.0], []])


@given(DISTINCT.flatmap(lambda values: st.tuples(st.just(values), st.integers(1, len(values) - 1))))
def test_the_exact_p_is_the_share_of_arrangements_as_extreme(case: tuple[list[int], int]) -> None:
    values, n = case
    m = len(values) - n
    test = mann_whitney(values[:n], values[n:])
    every = [
        sum(a > b for a in group for b in set(values) - set(group))
        for group in itertools.combinations(values, n)
    ]
    extreme = min(test.u, n * m - test.u)
    expected = min(1.0, 2 * sum(u <= extreme for u in every) / len(every))
    assert test.method == "exact"
    assert test.p == pytest.approx(expected)


def test_ties_are_compared_by_the_corrected_normal() -> None:
    test = mann_whitney([1, 2, 2, 3, 3, 3], [3, 4, 4, 5, 5, 6])
    # By hand: ties of 2, 4, 2, 2 give variance 3 (13 - 78/132) = 37.227, z = (16.5 - 0.5) / 6.101.
    assert test.u == 1.5
    assert test.p == pytest.approx(math.erfc(16 / math.sqrt(2 * 37.2272727)))
    assert test.method.startswith("normal")


def test_equal_groups_are_no_improvement() -> None:
    test = mann_whitney([1.0, 1.0], [1.0, 1.0])
    assert (test.p, test.improvement) == (1.0, 0.5)


def test_an_empty_group_is_refused() -> None:
    with pytest.raises(ValueError, match="0 and 1 runs"):
        mann_whitney([], [1.0])


def test_the_probability_of_improvement_averages_over_tasks() -> None:
    found = probability_of_improvement([[2.0, 3.0], [1.0]], [[1.0, 1.5], [1.0]], resamples=200)
    assert found.value == 0.75
    assert found.low <= found.value <= found.high


def test_the_wilson_interval_of_20_out_of_20_does_not_pretend_certainty() -> None:
    found = wilson(20, 20)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.8389, abs=1e-4)
    assert wilson(0, 0).high == 1.0
