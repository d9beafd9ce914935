"""DDPG is TD3 with its three tricks off."""

import torch

from tests.agents.samples import agent, batch
from worker.agents import DDPG


def test_ddpg_has_one_critic_and_no_tricks() -> None:
    learner = agent(algorithm="ddpg")
    assert isinstance(learner, DDPG)
    sample = batch()
    assert learner.critic(sample.observations, sample.actions).shape == (1, 8)
    assert torch.equal(learner._targets(sample), learner._targets(sample))
    before = learner.actor_optimiser.vector.values.clone()
    learner.update(sample)
    assert not torch.equal(learner.actor_optimiser.vector.values, before)


def test_ddpg_says_nothing_of_a_second_critic() -> None:
    learner = agent(algorithm="ddpg")
    learner.update(batch())
    assert not [name for name in learner.diagnostics() if "q2" in name]
