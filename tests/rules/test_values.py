"""Rules on Q and on numbers that are not finite."""

import math
from dataclasses import replace

import pytest

from backend.rules.rule import RuleState
from tests.rules.scripted import FACTS, Script, explored, healthy_samples, judged, result


@pytest.mark.parametrize(
    ("actor_q", "warning", "critical"),
    [(15.9, None, None), (16.1, 1_300, None), (18.1, None, 1_300)],
)
def test_over_estimation_measures_the_gap_in_spreads_of_replay_q(
    actor_q: float, warning: int | None, critical: int | None
) -> None:
    judge, _ = judged(Script().samples(healthy_samples(4, learner__actor_q_mean=actor_q)))
    found = result(judge, "over_estimation")
    assert (found.first_warning, found.first_critical) == (warning, critical)


def test_a_narrow_replay_q_is_given_a_quarter_of_its_size_as_spread() -> None:
    sample = {"learner/q1_mean": 100.0, "learner/q1_std": 1.0, "learner/actor_q_mean": 130.0}
    judge, _ = judged(Script().samples([sample] * 3))
    assert result(judge, "over_estimation").value == 30 / 25


def test_without_a_logged_spread_the_gap_is_measured_in_replay_q_and_the_loss_turned() -> None:
    judge, _ = judged(
        Script().samples([{"learner/q1_mean": -20.0, "learner/actor_loss": -40.0}] * 3)
    )
    found = result(judge, "over_estimation")
    assert found.value == 3
    assert found.state is RuleState.CRITICAL


def test_a_q_beyond_every_reward_seen_is_impossible() -> None:
    judge, _ = judged(Script().samples(healthy_samples(2, learner__q1_mean=-501.0)))
    found = result(judge, "impossible_q")
    assert found.first_critical == 1_100
    assert found.threshold == pytest.approx(500)


def test_rewards_are_scaled_as_the_learner_scales_them() -> None:
    scaled = replace(FACTS, reward_scale=0.1)
    judge, _ = judged(Script().samples(healthy_samples(1, learner__q1_mean=51.0)), scaled)
    found = result(judge, "impossible_q")
    assert found.threshold == pytest.approx(50)
    assert found.state is RuleState.CRITICAL


@pytest.mark.parametrize(("gamma", "word"), [(None, "does not tell"), (1.0, "gamma 1")])
def test_impossible_q_cannot_fire_without_a_discount(gamma: float | None, word: str) -> None:
    facts = replace(FACTS, gamma=gamma)
    judge, _ = judged(Script().samples(healthy_samples(2, learner__q1_mean=1e9)), facts)
    found = result(judge, "impossible_q")
    assert not found.can_fire
    assert word in found.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_non_finite_number_is_critical_and_stays(value: float) -> None:
    samples = healthy_samples(1) + healthy_samples(1, learner__critic_loss=value)
    judge, _ = judged(Script().samples(samples + healthy_samples(20)))
    found = result(judge, "non_finite")
    assert found.state is RuleState.CRITICAL
    assert found.first_critical == 1_200
    assert found.evidence["metrics"] == ["learner/critic_loss"]


def test_a_return_that_is_no_number_is_critical() -> None:
    script = explored().episodes([150.0] * 20).samples(healthy_samples(10))
    judge, _ = judged(script.episodes([math.nan]))
    assert judge.verdict == "no-go"
    assert result(judge, "non_finite").evidence["metrics"] == ["episode/return"]
    script = explored()
    script.log(1_100, {"evaluation/return_mean": math.inf})
    judge, _ = judged(script)
    assert result(judge, "non_finite").evidence["metrics"] == ["evaluation/return_mean"]


def test_td_error_and_critic_gradient_may_grow_without_an_alarm() -> None:
    growing = [
        {
            **healthy_samples(1)[0],
            "learner/td_error_q1": 1.0 + index,
            "gradients/critic_norm_before_clip": 10.0 * 1.2**index,
        }
        for index in range(40)
    ]
    judge, _ = judged(Script().samples(growing))
    assert not judge.alerting
