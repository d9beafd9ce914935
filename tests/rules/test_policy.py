"""Rules on the actor's gradient and actions."""

from dataclasses import replace

import pytest

from backend.rules.rule import RuleState
from tests.rules.scripted import FACTS, Script, explored, healthy_samples, judged, result

LEAK = {
    "gradients__actor_head_norm_before_clip": 0.0,
    "gradients__actor_encoder_norm_before_clip": 2.0,
}


def test_a_leaking_gradient_is_critical_at_the_third_sample() -> None:
    judge, _ = judged(Script().samples(healthy_samples(5, **LEAK)))
    found = result(judge, "policy_head_share")
    assert found.first_critical == 1_300
    assert found.evidence["kind"] == "leak"
    assert "leaks into its features" in found.reason


def test_two_samples_and_a_break_are_not_three_running() -> None:
    samples = healthy_samples(2, **LEAK) + healthy_samples(1) + healthy_samples(2, **LEAK)
    judge, _ = judged(Script().samples(samples))
    assert result(judge, "policy_head_share").first_critical is None


def test_no_gradient_at_all_is_named_vanished_not_leak() -> None:
    gone = {**LEAK, "gradients__actor_encoder_norm_before_clip": 0.0}
    judge, _ = judged(Script().samples(healthy_samples(3, **gone)))
    assert result(judge, "policy_head_share").evidence["kind"] == "vanished"


def test_norms_from_both_sides_of_the_clip_are_never_mixed() -> None:
    mixed = {
        "gradients/actor_head_norm_before_clip": 0.0,
        "gradients/actor_encoder_norm_after_clip": 1.0,
    }
    judge, _ = judged(Script().samples([mixed] * 5))
    assert result(judge, "policy_head_share").state is RuleState.NO_DATA


def test_norms_of_which_the_log_does_not_tell_the_side_are_compared_with_each_other() -> None:
    told = {"gradients/actor_head_norm": 0.0, "gradients/actor_encoder_norm": 1.0}
    judge, _ = judged(Script().samples([told] * 3))
    assert result(judge, "policy_head_share").state is RuleState.CRITICAL


def test_an_agent_without_encoder_cannot_leak_and_the_rule_says_so() -> None:
    facts = replace(FACTS, has_encoder=False)
    judge, _ = judged(Script().samples(healthy_samples(5, **LEAK)), facts)
    found = result(judge, "policy_head_share")
    assert not found.can_fire
    assert found.state is RuleState.NO_DATA
    assert "no image encoder" in found.reason


def test_a_light_goes_out_after_three_clear_samples() -> None:
    samples = healthy_samples(3, **LEAK) + healthy_samples(2)
    judge, _ = judged(Script().samples(samples))
    assert result(judge, "policy_head_share").state is RuleState.CRITICAL
    judge, _ = judged(Script().samples(samples + healthy_samples(1)))
    assert result(judge, "policy_head_share").state is RuleState.OK
    assert result(judge, "policy_head_share").since_step == 1_600


@pytest.mark.parametrize("tiny", [1e-7, 0.0])
def test_a_gradient_that_fell_to_nothing_is_critical(tiny: float) -> None:
    samples = healthy_samples(10) + healthy_samples(3, gradients__actor_norm_before_clip=tiny)
    judge, _ = judged(Script().samples(samples))
    assert result(judge, "vanished_gradient").first_critical == 2_300


def test_ten_samples_are_needed_before_a_gradient_can_vanish() -> None:
    judge, _ = judged(Script().samples(healthy_samples(10)))
    assert result(judge, "vanished_gradient").state is RuleState.NO_DATA


def test_a_constant_saturated_action_warns_at_once_and_is_critical_after_2000_steps() -> None:
    constant = {
        "actions__policy_steering_mean": -0.95,
        "actions__policy_steering_std": 0.01,
        "actions__policy_throttle_mean": 0.99,
        "actions__policy_throttle_std": 0.02,
    }
    judge, _ = judged(Script().samples(healthy_samples(25, **constant)))
    found = result(judge, "constant_action")
    assert (found.first_warning, found.first_critical) == (1_300, 3_100)


def test_one_dimension_that_reacts_is_enough() -> None:
    steering_only = {
        "actions__policy_steering_mean": -0.95,
        "actions__policy_steering_std": 0.01,
    }
    judge, _ = judged(Script().samples(healthy_samples(25, **steering_only)))
    assert result(judge, "constant_action").state is RuleState.OK


def test_imported_logs_are_judged_by_the_executed_action_with_its_wider_spread() -> None:
    executed = {
        "actions/steering_mean": 0.9,
        "actions/steering_std": 0.3,
        "actions/throttle_mean": 0.85,
        "actions/throttle_std": 0.25,
    }
    imported = replace(FACTS, native=False)
    judge, _ = judged(Script().samples([executed] * 3), imported)
    assert result(judge, "constant_action").state is RuleState.WARNING
    native, _ = judged(Script().samples([executed] * 3))
    assert result(native, "constant_action").state is RuleState.NO_DATA


def test_rules_marked_improvable_are_at_most_warnings_while_the_policy_is_better() -> None:
    script = explored().episodes([500.0] * 10).samples(healthy_samples(6, **LEAK))
    judge, _ = judged(script)
    assert result(judge, "policy_head_share").state is RuleState.WARNING
    assert judge.verdict == "conditional-go"


def test_two_signs_and_a_drop_corroborate_without_waiting_for_the_third_sample() -> None:
    signs = {**LEAK, "learner__actor_q_mean": 1_000.0}
    script = explored().episodes([20.0] * 10).samples(healthy_samples(2, **signs), start=1_600)
    judge, _ = judged(script)
    assert result(judge, "corroborated").first_critical == 1_700
    assert judge.verdict == "no-go"


def test_two_signs_without_a_drop_corroborate_nothing() -> None:
    signs = {**LEAK, "learner__actor_q_mean": 1_000.0}
    script = explored().episodes([105.0] * 10).samples(healthy_samples(2, **signs), start=1_600)
    judge, _ = judged(script)
    assert result(judge, "corroborated").state is RuleState.OK
