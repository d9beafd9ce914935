"""Rules on how episodes end, what their reward is made of, and cars that stand."""

from dataclasses import replace

import pytest

from backend.rules.episodes import REASONS
from backend.rules.rule import RuleState
from tests.rules.scripted import FACTS, Script, judged, result

OFF_ROUTE, TIMEOUT = REASONS.index("off_route"), REASONS.index("timeout")


def exploring(termination: int) -> Script:
    return Script().episodes([100.0] * 20, termination=termination, route_percent=10.0)


def test_the_rules_know_the_catalogues_termination_codes() -> None:
    from backend.metrics.catalog import COMPONENTS, TERMINATIONS
    from backend.rules import episodes

    assert REASONS == TERMINATIONS
    assert episodes.COMPONENTS == COMPONENTS


def test_twenty_failures_of_one_kind_without_progress_warn() -> None:
    script = exploring(TIMEOUT).episodes([100.0] * 20, termination=OFF_ROUTE, route_percent=10.0)
    judge, _ = judged(script)
    found = result(judge, "one_termination")
    assert found.state is RuleState.WARNING
    assert "off_route" in found.reason


def test_failures_that_get_further_do_not_warn() -> None:
    script = exploring(TIMEOUT)
    for index in range(20):
        script.episodes([100.0], termination=OFF_ROUTE, route_percent=10.0 + index)
    judge, _ = judged(script)
    assert result(judge, "one_termination").state is RuleState.OK


def test_a_reason_exploration_also_ends_by_cannot_fire() -> None:
    script = exploring(OFF_ROUTE).episodes([100.0] * 20, termination=OFF_ROUTE, route_percent=10.0)
    judge, _ = judged(script)
    found = result(judge, "one_termination")
    assert found.state is RuleState.OK
    assert "cannot fire here" in found.reason


def test_reaching_the_goal_twenty_times_is_no_failure() -> None:
    judge, _ = judged(exploring(TIMEOUT).episodes([99.0] * 20, termination=0, route_percent=100.0))
    assert result(judge, "one_termination").state is RuleState.OK


@pytest.mark.parametrize(("error", "state"), [(1e-9, RuleState.OK), (1e-3, RuleState.WARNING)])
def test_components_must_add_up_to_the_return(error: float, state: RuleState) -> None:
    judge, _ = judged(Script().episodes([100.0], checksum_error=error))
    assert result(judge, "component_checksum").state is state


def test_a_component_that_is_most_of_the_reward_for_ten_episodes_warns() -> None:
    shares = {"progress_percent": 80.0, "efficiency_percent": 20.0}
    judge, _ = judged(Script().episodes([1.0] * 9, **shares))
    assert result(judge, "component_dominance").state is RuleState.NO_DATA
    judge, _ = judged(Script().episodes([1.0] * 10, **shares))
    found = result(judge, "component_dominance")
    assert found.state is RuleState.WARNING
    assert found.evidence["component"] == "progress"


def test_shares_are_computed_from_components_where_they_were_not_logged() -> None:
    judge, _ = judged(Script().episodes([1.0] * 10, safety=-9.0, progress=1.0))
    assert result(judge, "component_dominance").value == 0.9


def test_standing_in_three_learning_episodes_in_a_row_is_critical() -> None:
    standing = (
        Script()
        .episodes([0.0] * 20, zero_speed_ticks=900)
        .episodes([0.0] * 2, zero_speed_ticks=500)
    )
    judge, _ = judged(standing)
    assert result(judge, "zero_speed").state is RuleState.OK
    judge, _ = judged(standing.episodes([0.0], zero_speed_ticks=500))
    assert result(judge, "zero_speed").state is RuleState.CRITICAL


def test_an_improved_policy_may_stand() -> None:
    script = Script().episodes([0.0] * 20).episodes([100.0] * 10, zero_speed_ticks=600)
    judge, _ = judged(script)
    assert result(judge, "zero_speed").state is RuleState.OK


def test_short_episodes_cannot_stand_for_500_ticks_and_the_rule_says_so() -> None:
    judge, _ = judged(Script().episodes([0.0]), replace(FACTS, max_episode_ticks=200))
    found = result(judge, "zero_speed")
    assert not found.can_fire
    assert "200 ticks" in found.reason
