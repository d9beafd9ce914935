"""An episode's sums under the catalogue's names."""

import math

from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.catalog import CATALOG, TERMINATIONS
from worker.environment.episode import Episode
from worker.environment.reward import COMPONENTS, Components, Tick

rewards = st.builds(Components, *([st.floats(-1e3, 1e3)] * 5))


def test_every_value_of_a_summary_is_in_the_catalogue() -> None:
    episode = Episode(0.0)
    episode.add_tick(Tick(5.0, 0.1, 0.0, time_to_collision=2.0))
    assert {f"episode/{name}" for name in episode.summary(10.0)} <= CATALOG.keys()


@given(st.lists(rewards, min_size=1, max_size=100))
def test_components_sum_to_the_return(decisions: list[Components]) -> None:
    episode = Episode(0.0)
    for components in decisions:
        episode.add_decision(components, sum(components))
    summary = episode.summary(0.0)
    assert summary["checksum_error"] <= 1e-9 * max(1.0, sum(abs(r) for d in decisions for r in d))
    shares = [summary[f"{name}_percent"] for name in COMPONENTS]
    assert math.isclose(sum(shares), 100.0) or not any(shares)


def test_standing_counts_its_share_and_its_longest_run() -> None:
    episode = Episode(0.0)
    for speed in (0.0, 0.0, 5.0, 0.0, 0.05, 0.0, 5.0, 5.0):
        episode.add_tick(Tick(speed, 0.0, 0.0))
    summary = episode.summary(0.0)
    assert summary["zero_speed_share"] == 5 / 8
    assert summary["zero_speed_ticks"] == 3.0


def test_success_is_the_goal_and_nothing_else() -> None:
    for reason in TERMINATIONS:
        episode = Episode(0.0)
        episode.termination = reason
        summary = episode.summary(100.0)
        assert summary["success"] == float(reason == "goal")
        assert TERMINATIONS[int(summary["termination"])] == reason


def test_time_to_collision_is_absent_where_nothing_was_ahead() -> None:
    episode = Episode(0.0)
    episode.add_tick(Tick(5.0, 0.0, 0.0))
    assert "min_ttc" not in episode.summary(0.0)
    episode.add_tick(Tick(5.0, 0.0, 0.0, time_to_collision=2.5))
    assert episode.summary(0.0)["min_ttc"] == 2.5
