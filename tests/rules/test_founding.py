"""The rules of the founding document, as they were written."""

import math
from dataclasses import replace

import pytest

from backend.rules.custom import CustomSpec
from backend.rules.rule import RuleAction, RuleState
from backend.rules.sliding import SlidingMaximum
from tests.rules.scripted import FACTS, Script, explored, healthy_samples, judged, result

Q = "learner/q1_mean"
LONG = replace(FACTS, total_steps=1_000_000)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("td_error", {"learner__td_error_q1": 50.1}),
        ("q_value", {"learner__q1_mean": 1_000.1}),
        ("q_value", {"learner__q1_mean": math.inf}),
        ("td_error", {"learner__td_error_q2": math.nan}),
    ],
)
def test_values_beyond_the_documents_limits_are_critical_at_once(
    rule: str, values: dict[str, float]
) -> None:
    judge, _ = judged(Script().samples(healthy_samples(1, **values)), preset="founding")
    assert result(judge, rule).first_critical == 1_100
    assert judge.verdict == "no-go"


def test_a_return_below_minus_500_is_critical() -> None:
    judge, _ = judged(Script().episodes([-499.0]), preset="founding")
    assert judge.verdict == "go"
    judge, _ = judged(Script().episodes([-501.0]), preset="founding")
    assert result(judge, "episode_return").state is RuleState.CRITICAL


def test_a_limit_nobody_approaches_is_marked_never_near() -> None:
    judge, _ = judged(explored(), preset="founding")
    assert "never near" in result(judge, "episode_return").reason


def test_stagnation_warns_when_the_best_of_100k_steps_falls_behind() -> None:
    script = Script().episodes([500.0] * 100, length=1_000).episodes([480.0] * 100, length=1_000)
    judge, _ = judged(script, LONG, "founding")
    found = result(judge, "stagnation")
    assert found.state is RuleState.WARNING
    assert found.action == "halt"
    assert judge.verdict == "conditional-go"


def test_stagnation_within_the_margin_is_well() -> None:
    script = Script().episodes([500.0] * 100, length=1_000).episodes([491.0] * 100, length=1_000)
    judge, _ = judged(script, LONG, "founding")
    assert result(judge, "stagnation").state is RuleState.OK


def test_stagnation_cannot_fire_in_a_run_of_5000_steps() -> None:
    judge, _ = judged(explored(), replace(FACTS, total_steps=5_000), "founding")
    found = result(judge, "stagnation")
    assert not found.can_fire
    assert "5,000" in found.reason


def test_gradient_growth_is_a_note_and_never_an_alarm() -> None:
    samples = [{"gradients/critic_norm_before_clip": 10.0 * 2**i} for i in range(30)]
    judge, _ = judged(Script().samples(samples), preset="founding")
    found = result(judge, "gradient_growth")
    assert found.state is RuleState.OK
    assert not found.can_fire
    assert found.value is not None
    assert found.value > 1_000


def test_three_critical_alerts_in_50k_steps_abort() -> None:
    bad, good = healthy_samples(1, learner__td_error_q1=60.0), healthy_samples(3)
    good = [{**sample, "learner/td_error_q1": 1.0} for sample in good]
    judge, _ = judged(Script().samples((bad + good) * 3), preset="founding")
    found = result(judge, "repeated_alerts")
    assert found.first_critical == 1_900
    assert found.action == "halt"
    assert found.evidence["rules"] == ["td_error"] * 3


def test_a_run_that_got_over_its_alerts_is_judged_by_what_it_does_now() -> None:
    samples = [{**s, "learner/td_error_q1": 60.0} for s in healthy_samples(1)] + [
        {**s, "learner/td_error_q1": 1.0} for s in healthy_samples(3)
    ]
    judge, flips = judged(Script().samples(samples * 4), preset="founding")
    assert result(judge, "repeated_alerts").state is RuleState.OK
    turned = [flip.step for flip in flips if flip.rule == "repeated_alerts"]
    assert turned == [1_100, 1_900, 2_200, 2_300, 2_600]


@pytest.mark.parametrize("preset", ["founding", "behavioural"])
def test_alerts_of_every_rule_of_the_run_count(preset: str) -> None:
    own = [
        CustomSpec(f"q-above-{limit}", "threshold", Q, limit, samples=1, level=RuleState.CRITICAL)
        for limit in (20, 30, 40)
    ]
    own.append(CustomSpec("q-above-10", "threshold", Q, 10, samples=1))  # a warning
    rising = [{Q: 15.0 + 10 * index} for index in range(4)]
    judge, _ = judged(Script().samples(rising), preset=preset, custom=own)
    assert result(judge, "repeated_alerts").first_critical == 1_400
    assert result(judge, "repeated_alerts").action is RuleAction.HALT


def test_the_sliding_maximum_forgets_what_left_its_window() -> None:
    window = SlidingMaximum()
    for step, value in enumerate([5.0, 3.0, 4.0, 1.0]):
        window.push(step, value)
    assert window.maximum == 5
    window.expire(0)
    assert window.maximum == 4
    window.expire(3)
    assert window.maximum is None
    window.push(4, math.nan)
    assert window.maximum is None
