"""Small configurations, spaces and batches for the tests of agents."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from backend.runs.config import RunConfig
from worker.agents import TD3, make_agent
from worker.agents.encoders import prepare
from worker.replay import Batch

VECTOR = 5
ACTION = 2


def config(**overrides: Any) -> RunConfig:
    plain = {"hidden_sizes": [16, 16], "batch_size": 8, "learning_starts": 8, "frame_stack": 2}
    return RunConfig.model_validate(plain | overrides)


def space(images: bool = False, stack: int = 2) -> spaces.Dict:
    found: dict[str, spaces.Space[Any]] = {"vector": spaces.Box(-1, 1, (VECTOR,), np.float32)}
    if images:
        found["image"] = spaces.Box(0, 255, (stack, 84, 84), np.uint8)
        found["command"] = spaces.Box(-1, 1, (2,), np.float32)
    return spaces.Dict(found)


def actions() -> spaces.Box:
    return spaces.Box(-1, 1, (ACTION,), np.float32)


def agent(**overrides: Any) -> TD3:
    chosen = config(**overrides)
    return make_agent(chosen, space(chosen.uses_images, chosen.frame_stack), actions())


def prepared(**options: Any) -> Batch:
    """An image batch for the small encoder as networks read it."""
    chosen = config(actor_input="image", encoder="small")
    sample = batch(images=True, **options)
    return replace(
        sample,
        observations=prepare(chosen, sample.observations),
        next_observations=prepare(chosen, sample.next_observations),
    )


def batch(
    size: int = 8, images: bool = False, stack: int = 2, seed: int = 0, terminated: float = 0.0
) -> Batch:
    draw = torch.Generator().manual_seed(seed)

    def observation() -> dict[str, torch.Tensor]:
        found = {"vector": torch.randn(size, VECTOR, generator=draw)}
        if images:
            shape = (size, stack, 84, 84)
            found["image"] = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
            found["command"] = torch.rand(size, 2, generator=draw)
        return found

    return Batch(
        observation(),
        torch.rand(size, ACTION, generator=draw) * 2 - 1,
        torch.randn(size, generator=draw),
        observation(),
        torch.full((size,), terminated),
        np.arange(size),
    )
