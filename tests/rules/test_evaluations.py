"""Rules on evaluations."""

from backend.rules.rule import RuleState
from tests.rules.scripted import Script, explored, healthy_samples, judged, result


def evaluated(returns: list[float], *, updates: bool = True) -> Script:
    """Exploration, then an evaluation every 1,000 steps, each with three episodes of one return."""
    script = explored().episodes([100.0] * 60)
    for index, value in enumerate(returns):
        step = 2_000 + 1_000 * index
        if updates or index == 0:
            script.samples(healthy_samples(1), start=step - 100)
        for episode in range(3):
            script.log(step, {"evaluation/episode_return": value + episode})
        script.log(step, {"evaluation/return_mean": value + 1})
    return script


def test_two_evaluations_equal_to_the_last_bit_are_critical() -> None:
    judge, _ = judged(evaluated([50.0, 50.0]))
    assert result(judge, "identical_evaluation").first_critical == 3_000


def test_different_evaluations_are_well() -> None:
    judge, _ = judged(evaluated([50.0, 50.000001]))
    assert result(judge, "identical_evaluation").state is RuleState.OK


def test_without_updates_between_them_equal_evaluations_prove_nothing() -> None:
    judge, _ = judged(evaluated([50.0, 50.0], updates=False))
    assert result(judge, "identical_evaluation").state is RuleState.NO_DATA


def test_a_good_policy_may_repeat_itself() -> None:
    judge, _ = judged(evaluated([500.0, 500.0]))
    assert result(judge, "identical_evaluation").state is RuleState.OK


def test_episodes_cut_short_after_an_evaluation_are_critical() -> None:
    script = explored().episodes([100.0] * 30, length=100)
    script.log(script.step, {"evaluation/return_mean": 100.0})
    judge, _ = judged(script.episodes([100.0] * 30, length=49))
    found = result(judge, "post_evaluation")
    assert found.state is RuleState.CRITICAL
    assert found.first_critical == 4_000 + 30 * 49


def test_episodes_a_little_shorter_after_an_evaluation_are_well() -> None:
    script = explored().episodes([100.0] * 30, length=100)
    script.log(script.step, {"evaluation/return_mean": 100.0})
    judge, _ = judged(script.episodes([100.0] * 30, length=51))
    assert result(judge, "post_evaluation").state is RuleState.OK


def test_exploration_before_the_evaluation_is_no_measure_of_learning_after_it() -> None:
    script = Script().episodes([100.0] * 10, length=100)
    script.log(script.step, {"evaluation/return_mean": 100.0})
    judge, _ = judged(script.episodes([100.0] * 30, length=10))
    assert result(judge, "post_evaluation").state is RuleState.NO_DATA
