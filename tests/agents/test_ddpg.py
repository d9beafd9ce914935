"""DDPG is TD3 with its three tricks off."""

import pytest
import torch

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config
from tests.agents.samples import agent, batch, config
from worker.agents import DDPG


def test_ddpg_has_one_critic_and_no_tricks() -> None:
    learner = agent(algorithm="ddpg")
    assert isinstance(learner, DDPG)
    sample = batch()
    assert learner.critic(sample.observations, sample.actions).shape == (1, 8)
    assert torch.equal(learner._targets(sample), learner._targets(sample))
    learner.update(sample)
    before = learner.actor_optimiser.vector.values.clone()
    learner.update(sample)
    assert not torch.equal(learner.actor_optimiser.vector.values, before)


def test_ddpg_says_nothing_of_a_second_critic() -> None:
    learner = agent(algorithm="ddpg")
    learner.update(batch())
    assert not [name for name in learner.diagnostics() if "q2" in name]


def test_a_ddpg_config_says_what_ddpg_does_and_refuses_td3s_tricks() -> None:
    chosen = config(algorithm="ddpg")
    assert (chosen.twin_critics, chosen.policy_delay, chosen.target_policy_noise) == (False, 1, 0)
    assert config(**chosen.model_dump()) == chosen
    with pytest.raises(InvalidConfig, match=r"policy_delay \(2\) is one of TD3's tricks"):
        parse_config("quickstart", {"algorithm": "ddpg", "policy_delay": 2})
