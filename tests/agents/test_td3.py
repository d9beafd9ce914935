"""TD3 does what its paper says."""

import numpy as np
import pytest
import torch

from tests.agents.samples import agent, batch, prepared
from worker.agents import TD3
from worker.agents.encoders import prepare
from worker.agents.parameters import ParameterVector
from worker.replay.batch import Observations


def values(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).clone()


def target_of(learner: TD3, *, terminated: float = 0.0) -> torch.Tensor:
    return learner._targets(batch(terminated=terminated))


def test_a_terminal_state_is_worth_nothing() -> None:
    learner = agent(reward_scale=0.5)
    assert torch.equal(target_of(learner, terminated=1.0), batch().rewards * 0.5)


def test_a_state_that_is_not_terminal_bootstraps_from_the_smaller_target_critic() -> None:
    learner = agent(target_policy_noise=0.0, gamma=0.9)
    sample = batch()
    action = learner.target_actor(sample.next_observations)
    both = learner.target_critic(sample.next_observations, action)
    assert both.shape == (2, 8)
    assert not torch.equal(both[0], both[1])
    expected = sample.rewards + 0.9 * torch.minimum(both[0], both[1])
    torch.testing.assert_close(target_of(learner), expected)


def test_one_critic_bootstraps_from_itself() -> None:
    learner = agent(twin_critics=False, target_policy_noise=0.0, gamma=1.0)
    sample = batch()
    action = learner.target_actor(sample.next_observations)
    q = learner.target_critic(sample.next_observations, action)
    assert q.shape == (1, 8)
    torch.testing.assert_close(target_of(learner), sample.rewards + q[0])


def test_target_actions_are_smoothed_by_clipped_noise_and_stay_in_range() -> None:
    learner = agent(target_policy_noise=2.0, target_noise_clip=0.25)
    seen: list[torch.Tensor] = []
    learner.target_critic.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    plain = learner.target_actor(batch().next_observations)
    for _ in range(20):
        target_of(learner)
    shifts = torch.stack(seen) - plain
    assert shifts.abs().max() <= 0.25 + 1e-6
    assert (shifts.abs() > 0.2499).float().mean() > 0.5  # most of N(0, 2) lies beyond the clip
    assert torch.stack(seen).abs().max() <= 1


def test_a_smoothed_action_does_not_leave_the_range_of_actions() -> None:
    learner = agent(target_policy_noise=2.0, target_noise_clip=0.5)
    learner.target_actor.head.biases[-1].data.fill_(5.0)  # tanh says 1
    seen: list[torch.Tensor] = []
    learner.target_critic.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    target_of(learner)
    assert seen[0].max() == 1.0
    assert seen[0].min() < 0.9


def test_without_noise_the_target_does_not_vary() -> None:
    learner = agent(target_policy_noise=0.0)
    assert torch.equal(target_of(learner), target_of(learner))
    noisy = agent()
    assert not torch.equal(target_of(noisy), target_of(noisy))


def test_actor_and_targets_move_only_every_policy_delay_updates() -> None:
    learner = agent(policy_delay=3)
    moved = []
    for number in range(7):
        actor, critic = values(learner.actor), values(learner.critic)
        target_actor, target_critic = values(learner.target_actor), values(learner.target_critic)
        learner.update(batch(seed=number))
        assert not torch.equal(values(learner.critic), critic)
        changed = [
            not torch.equal(values(learner.actor), actor),
            not torch.equal(values(learner.target_actor), target_actor),
            not torch.equal(values(learner.target_critic), target_critic),
        ]
        assert len(set(changed)) == 1
        moved.append(changed[0])
    assert moved == [False, False, False, True, False, False, True]


@pytest.mark.parametrize("images", [False, True])
def test_the_actor_climbs_the_critics_it_has_waited_for_on_the_next_minibatch(images: bool) -> None:
    tasks = {"actor_input": "image", "encoder": "small"} if images else {}
    learner = agent(policy_delay=2, actor_max_grad_norm=0.0, **tasks)
    for number in range(2):
        learner.update(batch(images=images, seed=number))
    sample = batch(images=images, seed=2)
    seen = prepare(learner.config, sample.observations)
    loss = -learner.critic(seen, learner.actor(seen))[0].mean()
    expected = torch.autograd.grad(loss, list(learner.actor.parameters()))
    learner.update(sample)
    flat = torch.cat([gradient.flatten() for gradient in expected])
    torch.testing.assert_close(learner.actor_optimiser.vector.gradient, flat, rtol=1e-4, atol=1e-8)


def test_targets_follow_by_polyak_averaging() -> None:
    learner = agent(policy_delay=1, tau=0.25)
    learner.update(batch())
    expected = 0.75 * values(learner.target_critic) + 0.25 * values(learner.critic)
    learner.update(batch())
    torch.testing.assert_close(values(learner.target_critic), expected)


def take_the_actors_turn(learner: TD3, observations: Observations) -> None:
    features = learner.critic.encode(observations)
    state = learner.critic.join(features, observations).detach()
    learner._update_actor(observations, features, state)


def test_the_actor_update_leaves_the_critics_alone() -> None:
    learner = agent()
    before = values(learner.critic)
    take_the_actors_turn(learner, batch().observations)
    assert torch.equal(values(learner.critic), before)


@pytest.mark.parametrize("critic_input", ["same", "vector"])
def test_the_actor_encoder_learns_only_through_the_action(critic_input: str) -> None:
    learner = agent(
        actor_input="image", critic_input=critic_input, encoder="small", actor_max_grad_norm=0.0
    )
    sample = prepared().observations
    take_the_actors_turn(learner, sample)
    seen = learner.actor_optimiser.vector.gradient.clone()

    # by the chain rule, with the critics' features as constants: dQ1/da, then da/dtheta
    learner = agent(actor_input="image", critic_input=critic_input, encoder="small")
    state = learner.critic.join(learner.critic.encode(sample), sample).detach()
    action = learner.actor(sample)
    leaf = action.detach().requires_grad_()
    slope = torch.autograd.grad(-learner.critic.value(state, leaf)[0].mean(), leaf)[0]
    expected = torch.autograd.grad(action, list(learner.actor.parameters()), slope)
    flat = torch.cat([gradient.flatten() for gradient in expected])
    torch.testing.assert_close(seen, flat, rtol=1e-4, atol=1e-8)
    vector = learner.actor_optimiser.vector
    assert vector.gradient_of("encoder") is not None
    assert seen.abs().sum() > 0


def test_the_policy_head_gets_a_gradient() -> None:
    for learner, sample in (
        (agent(), batch()),
        (agent(actor_input="image+vector", encoder="small"), prepared()),
    ):
        take_the_actors_turn(learner, sample.observations)
        head = learner.actor_optimiser.vector.gradient_of("head")
        assert head is not None
        assert head.norm() > 1e-6


def test_gradients_are_clipped_by_global_norm() -> None:
    learner = agent(critic_max_grad_norm=0.01)
    learner.update(batch())
    assert learner.critic_optimiser.vector.gradient.norm() == pytest.approx(0.01, rel=1e-3)
    free = agent(critic_max_grad_norm=0.0)
    free.update(batch())
    diagnostics = free.diagnostics()
    assert diagnostics["gradients/critic_clip_ratio"] == 1
    assert diagnostics["gradients/critic_norm_before_clip"] > 0.01


def test_adam_steps_as_torch_does_on_separate_parameters() -> None:
    learner, twin = agent(critic_learning_rate=0.01), agent(critic_learning_rate=0.01)
    parameters = list(twin.critic.parameters())
    adam = torch.optim.Adam(parameters, lr=0.01)
    for number in range(3):
        sample = batch(seed=number)
        targets = learner._targets(sample)
        loss = (
            (learner.critic(sample.observations, sample.actions) - targets).square().mean(1).sum()
        )
        learner.critic_optimiser.step(loss)
        loss = (twin.critic(sample.observations, sample.actions) - targets).square().mean(1).sum()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        adam.step()
        torch.testing.assert_close(values(learner.critic), values(twin.critic))


def test_the_two_critics_start_apart_and_targets_start_equal() -> None:
    learner = agent()
    first, second = learner.critic.head.weights[0]
    assert not torch.equal(first, second)
    assert torch.equal(values(learner.critic), values(learner.target_critic))
    assert torch.equal(values(learner.actor), values(learner.target_actor))


def test_equal_seeds_train_equally_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    pair = [agent(seed=3) for _ in range(2)]
    for learner in pair:
        for number in range(5):
            learner.update(batch(seed=number))
    assert torch.equal(values(pair[0].actor), values(pair[1].actor))
    assert not torch.equal(values(pair[0].actor), values(agent(seed=4).actor))
    assert torch.equal(torch.get_rng_state(), state)


def test_acting_is_the_actor_without_noise() -> None:
    learner = agent(actor_input="image", encoder="small")
    single = {name: v[0].numpy() for name, v in batch(size=1, images=True).observations.items()}
    action = learner.act(single)
    assert action.shape == (2,)
    assert action.dtype == np.float32
    expected = learner.actor(prepared(size=1).observations)[0].detach().numpy()
    np.testing.assert_allclose(action, expected, atol=1e-6)


def test_a_parameter_vector_shares_memory_with_its_network() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    before = [parameter.clone() for parameter in network.parameters()]
    vector = ParameterVector(network)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    vector.values.zero_()
    assert all(not parameter.any() for parameter in network.parameters())
