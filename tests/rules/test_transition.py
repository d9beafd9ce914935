"""The drop at the start of learning and the collapse of a learnt policy."""

import numpy as np

from backend.rules.rule import RuleState
from tests.rules.scripted import FACTS, Script, explored, judged, result


def test_returns_far_below_exploration_warn_at_the_tenth_learning_episode() -> None:
    judge, flips = judged(explored().episodes([20.0] * 10))
    assert result(judge, "transition").first_warning == 1_500
    assert [f.step for f in flips if f.rule == "transition"] == [1_500]


def test_nine_learning_episodes_are_no_data_and_too_early() -> None:
    judge, _ = judged(explored().episodes([20.0] * 9))
    assert result(judge, "transition").state is RuleState.NO_DATA
    assert judge.verdict == "too-early"
    assert "10 learning episodes (9 so far)" in judge.sentence(1_450)


def test_the_episode_astride_counts_in_neither_phase() -> None:
    script = Script().episodes([100.0] * 19).episodes([-1e6], length=100).episodes([100.0] * 10)
    judge, _ = judged(script)
    evidence = result(judge, "transition").evidence
    assert evidence["reference_mean"] == 100
    assert evidence["reference_episodes"] == 19
    assert result(judge, "transition").state is RuleState.OK


def test_equal_reference_returns_still_have_a_width() -> None:
    judge, _ = judged(explored(100, spread=0).episodes([91.0] * 10))
    assert result(judge, "transition").state is RuleState.OK


def test_a_drop_that_lasts_becomes_critical_after_1000_steps_and_20_episodes() -> None:
    judge, _ = judged(explored().episodes([20.0] * 40))
    assert result(judge, "transition").first_critical == 2_500
    slow, _ = judged(explored().episodes([20.0] * 40, length=200))
    assert result(slow, "transition").first_critical == 1_000 + 30 * 200


def test_a_drop_that_recovers_by_a_third_stays_a_warning() -> None:
    rising = [*np.linspace(0, 75, 15), *[75.0] * 25]
    judge, _ = judged(explored().episodes([0.0] * 10).episodes(rising))
    assert result(judge, "transition").first_critical is None
    assert result(judge, "transition").state is RuleState.WARNING


def test_the_warning_goes_off_only_half_a_spread_below_the_reference() -> None:
    script = explored().episodes([20.0] * 10).episodes([93.0] * 10)
    judge, _ = judged(script)
    assert result(judge, "transition").state is RuleState.WARNING
    judge, _ = judged(script.episodes([96.0] * 10))
    assert result(judge, "transition").state is RuleState.OK


def test_a_positive_reference_is_not_met_by_half_of_it_however_wide_its_spread() -> None:
    judge, _ = judged(explored(100, spread=90).episodes([49.0] * 10))
    assert result(judge, "transition").state is RuleState.WARNING


def test_random_policy_episodes_stand_in_for_long_exploration_episodes() -> None:
    script = Script()
    for value in range(10):
        script.log(0, {"evaluation/random_return": float(value)})
    script.episodes([5.0] * 2, length=500).episodes([-50.0] * 10, length=500)
    judge, _ = judged(script)
    evidence = result(judge, "transition").evidence
    assert evidence["reference_source"] == "random policy"
    assert evidence["reference_mean"] == 4.5
    assert result(judge, "transition").state is RuleState.WARNING


def test_without_any_reference_the_rule_says_what_it_lacks() -> None:
    script = Script().episodes([5.0] * 2, length=500).episodes([5.0] * 10, length=500)
    judge, _ = judged(script)
    found = result(judge, "transition")
    assert found.state is RuleState.NO_DATA
    assert "reference (2 and 0 logged)" in found.reason
    assert judge.verdict == "too-early"


def test_a_learnt_policy_that_loses_its_gains_collapses() -> None:
    learnt = explored().episodes([1_000.0] * 10)
    judge, _ = judged(learnt.episodes([120.0] * 9))
    assert result(judge, "collapse").state is RuleState.WARNING
    judge, _ = judged(learnt.episodes([120.0] * 40))
    assert result(judge, "collapse").state is RuleState.CRITICAL


def test_a_policy_that_never_learnt_cannot_collapse() -> None:
    judge, _ = judged(explored().episodes([120.0] * 10).episodes([-500.0] * 30))
    assert result(judge, "collapse").state is RuleState.OK


def test_a_log_without_the_start_of_learning_is_too_early_with_the_reason() -> None:
    facts = FACTS.__class__(learning_starts=None, total_steps=5_000, native=False)
    judge, _ = judged(explored().episodes([1.0] * 30), facts)
    assert judge.verdict == "too-early"
    assert "the step at which learning starts is not known" in judge.sentence(2_500)
