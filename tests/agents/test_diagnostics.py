"""What an agent says of its last update, and how it stops at a number that is none."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from backend.metrics.catalog import CATALOG
from tests.agents.samples import actions, agent, batch, config, space
from worker.agents import TD3, NonFinite


def owned(name: str) -> bool:
    """Metrics the agent answers for; the loop logs the rest of these groups."""
    loop = ("learner/exploration_noise", "learner/updates_per_step")
    # Of imported logs alone: ours always tell the side of the clip.
    imported = name.startswith("gradients/") and name.endswith("_norm")
    groups = ("learner/", "gradients/", "features/", "actions/policy_")
    return name not in loop and not imported and name.startswith(groups)


def updated(images: bool = False, **overrides: Any) -> TD3:
    """After two updates, in the second of which the actor moved."""
    learner = agent(policy_delay=1, **overrides)
    for number in range(2):
        learner.update(batch(images=images, seed=number))
    return learner


def test_every_catalogued_metric_of_the_learner_is_there_for_images() -> None:
    learner = updated(images=True, actor_input="image", encoder="small")
    assert set(learner.diagnostics()) == {name for name in CATALOG if owned(name)}


def test_networks_without_an_encoder_say_nothing_of_one() -> None:
    names = set(updated().diagnostics())
    assert names == {
        name
        for name in CATALOG
        if owned(name)
        and "encoder" not in name
        and "feature" not in name
        and name != "gradients/policy_head_share"
    }


def test_a_privileged_critic_has_no_encoder_and_the_actor_has() -> None:
    learner = updated(images=True, actor_input="image", critic_input="vector", encoder="small")
    seen = learner.diagnostics()
    assert seen["gradients/actor_encoder_norm_before_clip"] > 0
    assert "gradients/critic_encoder_norm_before_clip" not in seen


def test_before_the_first_update_only_the_settings_are_known() -> None:
    assert set(agent().diagnostics()) == {
        "learner/updates", "learner/actor_learning_rate", "learner/critic_learning_rate"
    }  # fmt: skip


@pytest.mark.parametrize(
    "task", [{}, {"actor_input": "image", "encoder": "small", "shared_encoder": True}], ids=str
)
def test_what_is_read_does_not_depend_on_what_was_read_before(task: dict[str, Any]) -> None:
    """The actor moves in updates 4 and 7, a shared encoder in every one."""
    often, seldom, last = (agent(policy_delay=3, **task) for _ in range(3))
    for number in range(1, 9):
        sample = batch(images=bool(task), seed=number)
        for learner in (often, seldom, last):
            learner.update(sample)
        seen = often.diagnostics()
        assert ("learner/actor_loss" in seen) == (number >= 4)
        if number in (4, 6, 8):
            assert seen == seldom.diagnostics()
    assert seen == last.diagnostics()


def test_nothing_is_told_of_an_actor_that_other_weights_have_replaced() -> None:
    learner = updated()
    assert "learner/actor_parameter_mean" in learner.diagnostics()
    learner.load_state_dict(agent(policy_delay=1, seed=1).state_dict())
    assert "learner/actor_parameter_mean" not in learner.diagnostics()


def test_values_are_those_of_the_last_update() -> None:
    learner = agent(critic_learning_rate=0.002, critic_max_grad_norm=0.5)
    sample = batch()
    q = learner.critic(sample.observations, sample.actions).detach()
    learner.update(sample)
    seen = learner.diagnostics()
    assert seen["learner/q2_mean"] == pytest.approx(q[1].mean().item(), abs=1e-6)
    assert seen["learner/q1_std"] == pytest.approx(q[0].std(correction=0).item(), abs=1e-6)
    assert seen["learner/reward_max"] == sample.rewards.max()
    assert seen["learner/critic_learning_rate"] == 0.002
    assert seen["learner/updates"] == 1
    before = seen["gradients/critic_norm_before_clip"]
    assert seen["gradients/critic_norm_after_clip"] == pytest.approx(min(before, 0.5), rel=1e-4)
    assert seen["gradients/critic_clip_ratio"] == pytest.approx(min(1, 0.5 / before), rel=1e-4)


def test_module_norms_add_up_to_the_global_norm() -> None:
    learner = agent(actor_input="image", encoder="small")
    learner.update(batch(images=True))
    seen = learner.diagnostics()
    encoder, head, total = (
        seen[f"gradients/critic{part}_norm_before_clip"] for part in ("_encoder", "_head", "")
    )
    assert np.hypot(encoder, head) == pytest.approx(total, rel=1e-5)
    clipped = learner.critic_optimiser.vector.gradient.norm().item()
    assert clipped == pytest.approx(seen["gradients/critic_norm_after_clip"], rel=1e-5)


def test_the_policy_heads_share_is_its_norm_over_the_whole() -> None:
    seen = updated(images=True, actor_input="image", encoder="small").diagnostics()
    head, total = (seen[f"gradients/actor{part}_norm_before_clip"] for part in ("_head", ""))
    assert seen["gradients/policy_head_share"] == pytest.approx(head / total, rel=1e-5)


def spoilt() -> torch.Tensor:
    rewards = batch().rewards
    rewards[3] = torch.nan
    return rewards


def weights(learner: TD3) -> torch.Tensor:
    return torch.cat([
        learner.actor_optimiser.vector.values, learner.critic_optimiser.vector.values
    ])  # fmt: skip


def test_a_loss_that_is_not_finite_stops_before_the_weights_with_its_evidence() -> None:
    learner = agent(policy_delay=2)
    learner.update(batch())
    before, moments = weights(learner).clone(), learner.critic_optimiser.state_dict()
    bad = dataclasses.replace(batch(), rewards=spoilt(), indices=np.arange(100, 108))
    with pytest.raises(
        NonFinite, match="critic's loss or gradient is not finite at update 2"
    ) as it:
        learner.update(bad)
    assert torch.equal(weights(learner), before)
    after = learner.critic_optimiser.state_dict()
    assert all(torch.equal(after[name], moments[name]) for name in moments)
    evidence = it.value.evidence
    assert np.isnan(evidence["critic_loss"])
    assert np.isnan(evidence["rewards"][3])
    assert evidence["indices"][3] == 103
    assert {"observations.vector", "next_observations.vector", "q", "targets"} <= set(evidence)


def everything(learner: TD3) -> torch.Tensor:
    return torch.cat([vector.values for vector in learner._vectors().values()])


@pytest.mark.parametrize("ask", ["update", "diagnostics", "confirm"])
def test_without_waiting_a_broken_update_is_told_two_updates_later_as_if_at_once(
    ask: str,
) -> None:
    learner = TD3(config(policy_delay=1), space(), actions(), lag=2)
    at_once = agent(policy_delay=1)
    bad = dataclasses.replace(batch(seed=1), rewards=spoilt())
    for each in (learner, at_once):
        each.update(batch())
    critics = at_once.critic_optimiser.vector.values.clone()
    with pytest.raises(NonFinite) as expected:
        at_once.update(bad)
    assert torch.equal(at_once.critic_optimiser.vector.values, critics)
    before = everything(at_once).clone()  # the actor has had the turn that was due
    learner.update(bad)
    learner.update(batch(seed=2))
    assert torch.equal(everything(learner), before)
    with pytest.raises(
        NonFinite, match="critic's loss or gradient is not finite at update 2"
    ) as it:
        learner.update(batch(seed=3)) if ask == "update" else getattr(learner, ask)()
    assert torch.equal(everything(learner), before)
    assert learner.updates == at_once.updates == 2
    assert torch.equal(learner._noise.get_state(), at_once._noise.get_state())
    assert set(it.value.evidence) == set(expected.value.evidence)
    for name, value in it.value.evidence.items():
        np.testing.assert_array_equal(value, expected.value.evidence[name], err_msg=name)


def test_the_evidence_of_a_broken_update_has_no_actors_numbers_of_another() -> None:
    learner = TD3(config(policy_delay=2), space(), actions(), lag=2)
    for number in range(3):
        learner.update(batch(seed=number))
    learner.update(dataclasses.replace(batch(), rewards=spoilt()))
    learner.update(batch(seed=4))
    with pytest.raises(NonFinite) as it:
        learner.confirm()
    assert "critic_loss" in it.value.evidence
    assert "actor_loss" not in it.value.evidence


@pytest.mark.parametrize("weight", [3e38, np.inf, np.nan])  # the first overflows in its layer
def test_a_network_that_is_not_finite_is_told_as_the_actors_and_no_target_follows_it(
    weight: float,
) -> None:
    learner = agent(policy_delay=1)
    learner.update(batch())
    learner.actor.head.weights[0].data.fill_(weight)
    targets = [learner._target_actor_vector.values, learner._target_critic_vector.values]
    before = [values.clone() for values in targets]
    with pytest.raises(NonFinite, match="actor") as it:
        learner.update(batch())
    assert not np.isfinite(it.value.evidence["actor_gradient_norm"])
    assert all(map(torch.equal, targets, before))


@pytest.mark.parametrize(
    ("reward", "observed", "finite"),
    [(3e19, 1.0, "critic_gradient_norm"), (1e18, 1e4, "critic_loss")],
)
def test_a_loss_or_a_gradient_that_overflows_alone_stops_an_update(
    reward: float, observed: float, finite: str
) -> None:
    """One error among 256 squared in the loss; times what the network was given, and squared, in the norm."""
    learner = agent(critic_max_grad_norm=0.0)
    sample = batch(size=256)
    rewards = torch.zeros(256)
    rewards[0] = reward
    seen = {"vector": observed * sample.observations["vector"]}
    before = weights(learner).clone()
    with pytest.raises(NonFinite) as it:
        learner.update(dataclasses.replace(sample, observations=seen, rewards=rewards))
    overflowed = ({"critic_loss", "critic_gradient_norm"} - {finite}).pop()
    assert np.isfinite(it.value.evidence[finite])
    assert not np.isfinite(it.value.evidence[overflowed])
    assert torch.equal(weights(learner), before)


def test_units_that_never_fire_are_counted_as_dead() -> None:
    still = {"policy_delay": 1, "actor_learning_rate": 1e-9, "critic_learning_rate": 1e-9}
    sound, spoilt = agent(**still), agent(**still)
    with torch.no_grad():
        spoilt.critic.head.biases[0][:, 0, :] = -100  # the first of two layers, in both critics
        for bias in spoilt.actor.head.biases[:-1]:
            bias.fill_(-100)
    for learner in (sound, spoilt):
        for number in range(2):
            learner.update(batch(size=64, seed=number))
    before, after = sound.diagnostics(), spoilt.diagnostics()
    assert before["learner/critic_dead_units"] < 25
    assert 50 <= after["learner/critic_dead_units"] < 100
    assert (before["learner/actor_dead_units"] < 25, after["learner/actor_dead_units"]) == (
        True,
        100,
    )


def test_hidden_activations_are_those_of_the_forward_pass() -> None:
    for normed in (False, True):
        head = agent(head_layer_norm=normed).critic.head
        inputs = torch.randn(4, 7)
        found = head(inputs)
        *_, last = head.activations
        torch.testing.assert_close(found, torch.baddbmm(head.biases[-1], last, head.weights[-1]))
        with torch.no_grad():
            head(inputs + 1)
        assert head.activations[-1] is last
