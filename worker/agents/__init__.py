"""TD3 and DDPG."""

from gymnasium import spaces

from backend.runs.config import RunConfig
from worker.agents.arithmetic import prepare_torch
from worker.agents.ddpg import DDPG
from worker.agents.errors import NonFinite, NonFiniteAction, NonFiniteTransition, NonFiniteUpdate
from worker.agents.memory import keep_freed_memory
from worker.agents.noise import Exploration
from worker.agents.td3 import TD3

__all__ = [
    "DDPG",
    "TD3",
    "Exploration",
    "NonFinite",
    "NonFiniteAction",
    "NonFiniteTransition",
    "NonFiniteUpdate",
    "make_agent",
    "prepare_torch",
]


def make_agent(config: RunConfig, observation_space: spaces.Dict, action_space: spaces.Box) -> TD3:
    """The configured algorithm on networks fitting the spaces; actions are in [-1, 1]."""
    keep_freed_memory()
    algorithm = TD3 if config.algorithm == "td3" else DDPG
    return algorithm(config, observation_space, action_space)
