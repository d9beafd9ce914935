"""Rules on configuration, feature norms and reserves."""

from dataclasses import replace

import pytest

from backend.rules.rule import RuleState
from tests.rules.scripted import FACTS, Script, healthy_samples, judged, result


@pytest.mark.parametrize(
    ("metric", "value"),
    [("learner__updates_per_step", 0.5), ("learner__actor_learning_rate", 1e-3)],
)
def test_what_is_observed_must_be_what_was_configured(metric: str, value: float) -> None:
    judge, _ = judged(Script().samples(healthy_samples(3, **{metric: value})))
    found = result(judge, "configured_observed")
    assert found.first_warning == 1_300
    assert found.value == value


def test_the_first_window_of_updates_is_short_and_forgiven() -> None:
    samples = healthy_samples(1, learner__updates_per_step=0.4) + healthy_samples(5)
    judge, _ = judged(Script().samples(samples))
    assert result(judge, "configured_observed").first_warning is None


def test_an_imported_log_has_no_configuration_to_compare_with() -> None:
    facts = replace(
        FACTS, updates_per_step=None, actor_learning_rate=None, critic_learning_rate=None
    )
    judge, _ = judged(Script().samples(healthy_samples(3)), facts)
    assert not result(judge, "configured_observed").can_fire


@pytest.mark.parametrize("norm", [101.0, 3.9])
def test_features_far_from_their_norm_at_learning_start_warn(norm: float) -> None:
    samples = healthy_samples(2) + healthy_samples(1, features__critic_norm=norm)
    judge, _ = judged(Script().samples(samples))
    assert result(judge, "feature_norm").first_warning == 1_300


def test_a_disk_below_its_reserve_warns_and_names_itself() -> None:
    samples = healthy_samples(3, system__disk_free_bytes=1e9)
    judge, _ = judged(Script().samples(samples))
    found = result(judge, "reserve")
    assert found.state is RuleState.WARNING
    assert "disk" in found.reason
    assert found.action == "halt"


def test_learning_rates_that_rollbacks_lowered_are_as_configured_and_others_are_not() -> None:
    slowed = replace(FACTS, rate_factors=(1.0, 0.3))
    lowered = {"learner__actor_learning_rate": 9e-5, "learner__critic_learning_rate": 9e-5}
    script = Script().samples(healthy_samples(5) + healthy_samples(5, **lowered))
    assert result(judged(script, slowed)[0], "configured_observed").first_warning is None
    assert result(judged(script)[0], "configured_observed").first_warning == 1_800
