"""The feature leak of the founding project, and that ours does not have it."""

import torch

from benchmarks.leaky_td3 import LeakyTD3
from tests.agents.samples import actions as sample_actions
from tests.agents.samples import batch
from tests.agents.samples import config as sample_config
from tests.agents.samples import space as sample_space
from worker.agents import TD3


def actor_q_over_replay_q(kind: type[TD3], updates: int) -> float:
    """Largest ratio over the last third of a training on a fixed set of states with rewards in [0, 1]."""
    config = sample_config(
        actor_input="image", encoder="nature", encoder_layer_norm=False, gamma=0.5, frame_stack=1,
        actor_learning_rate=1e-3, critic_learning_rate=1e-3, tau=0.05,
    )  # fmt: skip
    learner = kind(config, sample_space(images=True, stack=1), sample_actions())
    sample = batch(size=8, images=True, stack=1)
    sample.rewards.uniform_(0.5, 1.0, generator=torch.Generator().manual_seed(0))
    ratios = []
    for number in range(updates):
        learner.update(sample)
        if number > updates * 2 // 3 and number % 10 == 0:
            seen = learner.diagnostics()
            ratios.append(seen["learner/actor_q_mean"] / seen["learner/q1_mean"])
    return max(ratios)


def test_the_leaky_actor_loss_inflates_actor_q_and_ours_does_not() -> None:
    assert actor_q_over_replay_q(TD3, 90) < 1.5
    assert actor_q_over_replay_q(LeakyTD3, 90) > 3
