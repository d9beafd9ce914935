"""Exploration and learning, with the episode astride in neither."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis.phases import split_phases


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(0, 2_000))
def test_every_episode_is_in_one_phase_or_astride(lengths: list[int], starts: int) -> None:
    ends = np.cumsum(lengths)
    phases = split_phases(np.zeros(len(lengths)), ends, lengths, starts)
    assert phases.exploration.n + len(phases.astride) + phases.learning.n == len(lengths)
    assert len(phases.astride) <= 1
    for index in phases.astride:
        assert ends[index] - lengths[index] < starts < ends[index]


def test_an_episode_that_ends_where_learning_starts_explored() -> None:
    phases = split_phases([1.0, 2.0, 3.0], [10, 20, 30], [10, 10, 10], 20)
    assert phases.astride == ()
    assert phases.exploration.return_mean == 1.5
    assert phases.learning.return_mean == 3.0
    assert (phases.learning.first_step, phases.learning.last_step) == (20, 30)


def test_a_run_that_never_learns_has_an_empty_phase() -> None:
    phases = split_phases([1.0], [10], [10], 100)
    assert phases.learning.n == 0
    assert phases.learning.return_mean is None
    assert phases.learning.document()["n"] == 0
