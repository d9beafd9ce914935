"""Rules of the user's own."""

import math

import pytest

from backend.rules.custom import CustomSpec, Direction
from backend.rules.rule import RuleAction, RuleState
from tests.rules.scripted import FACTS, Script, judged, result

TD = "learner/td_error_q1"


def samples(values: list[float], metric: str = TD) -> Script:
    return Script().samples([{metric: value} for value in values])


def test_a_threshold_alerts_after_its_samples_and_at_its_level() -> None:
    spec = CustomSpec("td_high", "threshold", TD, 5.0, samples=2, level=RuleState.CRITICAL)
    judge, _ = judged(samples([1, 6, 4, 6, 7]), custom=[spec])
    assert result(judge, "td_high").first_critical == 1_500
    assert judge.verdict == "no-go"


def test_a_threshold_may_look_downwards_and_at_episodes() -> None:
    spec = CustomSpec("slow", "threshold", "episode/mean_speed", 2.0, "below", samples=1)
    judge, _ = judged(Script().episodes([1.0], mean_speed=1.0), custom=[spec])
    assert result(judge, "slow").state is RuleState.WARNING


def test_a_threshold_above_the_clip_cannot_fire_and_says_so() -> None:
    clipped = "gradients/critic_norm_after_clip"
    facts = FACTS.__class__(0, 1_000, critic_max_grad_norm=10.0)
    judge, _ = judged(
        samples([10.0] * 5, clipped), facts, custom=[CustomSpec("g", "threshold", clipped, 50.0)]
    )
    found = result(judge, "g")
    assert not found.can_fire
    assert "clipped at 10, the threshold is 50" in found.reason


def test_a_ratio_divides_two_metrics_of_the_same_step() -> None:
    spec = CustomSpec("twins", "ratio", "learner/q1_mean", 2.0, other="learner/q2_mean", samples=1)
    script = Script().samples([{"learner/q1_mean": 6.0, "learner/q2_mean": 2.0}])
    judge, _ = judged(script, custom=[spec])
    assert result(judge, "twins").value == 3
    assert result(judge, "twins").state is RuleState.WARNING


def test_a_trend_compares_the_last_window_with_the_one_before() -> None:
    spec = CustomSpec("growing", "trend", TD, 100.0, window=3, samples=1)
    judge, _ = judged(samples([1, 1, 1, 2, 2, 2]), custom=[spec])
    assert result(judge, "growing").value == pytest.approx(100)
    assert result(judge, "growing").state is RuleState.OK
    judge, _ = judged(samples([1, 1, 1, 2, 2, 3]), custom=[spec])
    assert result(judge, "growing").state is RuleState.WARNING


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_stagnation_is_the_best_of_a_window_no_better_than_the_best_before(
    lower_is_better: bool,
) -> None:
    sign = -1.0 if lower_is_better else 1.0
    spec = CustomSpec(
        "stuck",
        "stagnation",
        "evaluation/return_mean",
        1.0,
        "below",
        window=1_000,
        samples=1,
        lower_is_better=lower_is_better,
        action=RuleAction.HALT,
    )
    script = Script()
    for step, value in ((500, 10.0), (1_500, 20.0), (2_100, 20.5)):
        script.log(step, {"evaluation/return_mean": sign * value})
    judge, _ = judged(script, custom=[spec])
    found = result(judge, "stuck")
    assert (found.state, found.value) == (RuleState.OK, 10.5)
    script.log(3_000, {"evaluation/return_mean": sign * 20.6})
    judge, _ = judged(script, custom=[spec])
    assert result(judge, "stuck").state is RuleState.WARNING


def test_a_metric_that_presets_do_not_read_is_kept_for_the_rule_that_does() -> None:
    spec = CustomSpec("fast", "threshold", "progress/speed", 20.0, samples=1)
    script = Script()
    script.log(5, {"progress/speed": 25.0})
    judge, _ = judged(script, custom=[spec])
    assert result(judge, "fast").state is RuleState.WARNING


def test_a_metric_never_logged_is_no_data() -> None:
    judge, _ = judged(samples([1.0]), custom=[CustomSpec("x", "threshold", "my/metric", 1.0)])
    assert result(judge, "x").reason == "No data: my/metric was not logged long enough."


@pytest.mark.parametrize("direction", ["above", "below"])
def test_what_is_no_number_is_beyond_any_limit(direction: Direction) -> None:
    spec = CustomSpec("own", "threshold", TD, 5.0, direction, samples=1)
    judge, _ = judged(samples([math.nan]), custom=[spec])
    assert result(judge, "own").state is RuleState.WARNING
