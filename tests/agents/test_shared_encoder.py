"""One encoder for actor and critic, trained by the critic alone."""

import pytest
import torch

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config
from tests.agents.samples import agent, batch
from worker.agents import TD3


def shared(**overrides: object) -> TD3:
    return agent(actor_input="image", encoder="small", shared_encoder=True, **overrides)


def encoder(network: torch.nn.Module) -> torch.Tensor:
    values = [parameter.flatten() for parameter in network.encoder.parameters()]  # type: ignore[union-attr, operator]
    return torch.cat(values).detach().clone()


def test_actor_and_critic_see_the_same_from_the_first_update_on_and_so_do_their_targets() -> None:
    learner = shared(policy_delay=2)
    before = encoder(learner.critic)
    for number in range(5):
        assert torch.equal(encoder(learner.actor), encoder(learner.critic))
        assert torch.equal(encoder(learner.target_actor), encoder(learner.target_critic))
        learner.update(batch(images=True, seed=number))
    assert not torch.equal(encoder(learner.critic), before)


def test_the_actors_loss_does_not_reach_the_encoder_and_does_reach_its_head() -> None:
    learner = shared(policy_delay=1)
    for number in range(2):
        learner.update(batch(images=True, seed=number))
    seen = learner.diagnostics()
    assert seen["gradients/actor_encoder_norm_before_clip"] == 0
    assert seen["gradients/actor_head_norm_before_clip"] > 0
    assert seen["gradients/critic_encoder_norm_before_clip"] > 0


def test_encoders_are_apart_unless_shared() -> None:
    learner = agent(actor_input="image", encoder="small")
    assert not torch.equal(encoder(learner.actor), encoder(learner.critic))


def test_what_is_not_there_cannot_be_shared() -> None:
    for overrides in ({}, {"actor_input": "image", "critic_input": "vector"}):
        with pytest.raises(InvalidConfig, match=r"shared_encoder \(true\) needs a critic"):
            parse_config("quickstart", {"shared_encoder": True, **overrides})
