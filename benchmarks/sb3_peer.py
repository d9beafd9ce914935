"""Stable-Baselines3's TD3 doing the same work as ours: equal networks, batch and buffer contents."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from backend.runs.config import RunConfig


class NatureExtractor(BaseFeaturesExtractor):
    """Our NatureCNN as the textbook writes it: NCHW, torch.nn layers, LayerNorm over [C, H, W]."""

    def __init__(self, space: spaces.Dict) -> None:
        super().__init__(space, 512 + 53)
        norm = nn.LayerNorm
        self.cnn = nn.Sequential(
            nn.Conv2d(4, 32, 8, 4), norm([32, 20, 20]), nn.LeakyReLU(0.01),
            nn.Conv2d(32, 64, 4, 2), norm([64, 9, 9]), nn.LeakyReLU(0.01),
            nn.Conv2d(64, 64, 3, 1), norm([64, 7, 7]), nn.LeakyReLU(0.01),
            nn.Flatten(), nn.Linear(3136, 512), norm(512), nn.LeakyReLU(0.01),
        )  # fmt: skip

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        # SB3 has scaled images to [0, 1]; ours work on [-1, 1]
        features = self.cnn(observations["image"] * 2 - 1)
        return torch.cat([features, observations["vector"]], 1)


class Still(gymnasium.Env[Any, Any]):
    """Spaces for SB3 to build its policy and buffer from; never stepped."""

    def __init__(self, observations: spaces.Dict, actions: spaces.Box) -> None:
        self.observation_space = observations
        self.action_space = actions


def make_peer(config: RunConfig, observations: spaces.Dict, actions: spaces.Box, size: int) -> TD3:
    """SB3's TD3 with our hyper-parameters and nothing logged."""
    peer = TD3(
        "MultiInputPolicy",
        Still(observations, actions),
        learning_rate=config.critic_learning_rate,
        buffer_size=size,
        batch_size=config.batch_size,
        tau=config.tau,
        gamma=config.gamma,
        policy_delay=config.policy_delay,
        target_policy_noise=config.target_policy_noise,
        target_noise_clip=config.target_noise_clip,
        policy_kwargs={
            "features_extractor_class": NatureExtractor,
            "share_features_extractor": False,
            "net_arch": list(config.hidden_sizes),
        },
        seed=0,
        device=config.device,
    )
    peer.set_logger(Logger(folder=None, output_formats=[]))
    return peer


def add(
    peer: TD3, observation: dict[str, Any], action: Any, reward: float, following: dict[str, Any]
) -> None:
    """One transition into SB3's buffer, as its rollout adds it."""
    assert peer.replay_buffer is not None
    peer.replay_buffer.add(
        {name: value[None] for name, value in observation.items()},
        {name: value[None] for name, value in following.items()},
        action[None],
        np.array([reward]),
        np.array([False]),
        [{}],
    )
