"""Quarters, trends and summaries by their stated estimators."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis.quarters import quarters, summarise, trend_percent, variance_collapse

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


@given(VALUES)
def test_quarters_cover_every_value_exactly_once(values: list[float]) -> None:
    found = quarters(values)
    assert [q.start for q in found][1:] == [q.stop for q in found][:-1]
    assert (found[0].start, found[-1].stop) == (0, len(values))
    assert max(q.n for q in found) - min(q.n for q in found) <= 1


def test_187_episodes_begin_with_a_quarter_of_46() -> None:
    assert [(q.start, q.stop) for q in quarters(np.zeros(187))] == [
        (0, 46),
        (46, 93),
        (93, 140),
        (140, 187),
    ]


def test_std_is_that_of_the_population() -> None:
    assert quarters([1.0, 3.0] * 4)[0].std == 1.0


def test_an_empty_quarter_has_no_mean() -> None:
    assert quarters([1.0])[0].mean is None


def test_the_trend_compares_the_last_quarter_with_the_first() -> None:
    assert trend_percent([2.0, 2.0, 9.0, 9.0, 0.0, 0.0, 5.0, 5.0]) == 150


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [0.0, 0.0, 1.0, 2.0]])
def test_no_trend_where_it_would_divide_by_nothing(values: list[float]) -> None:
    assert trend_percent(values) is None


def test_a_summary_counts_what_it_left_out() -> None:
    summary = summarise([1.0, math.nan, 3.0, math.inf])
    assert summary is not None
    assert (summary.n, summary.dropped, summary.mean) == (2, 2, 2.0)
    assert summarise([math.nan]) is None


def test_variance_collapse_is_the_ratio_of_spreads() -> None:
    values = [0.0, 100.0] * 10 + [10.0] * 40 + [0.0, 2.0] * 10
    assert variance_collapse(quarters(values)) == 50
