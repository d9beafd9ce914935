"""Seeds: of episodes a function of the run's seed and the episode's number, so nothing needs saving."""

import random
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import gymnasium
import numpy as np
import torch

from worker.finiteness import refuse_transition


class Stream(IntEnum):
    """What an episode is for; streams never share seeds."""

    TRAINING = 0
    EVALUATION = 1
    REFERENCE = 2


def episode_seed(run_seed: int, stream: Stream, number: int) -> int:
    """Seed in [0, 2**31) of episode `number` of a stream.

    Evaluations use the same numbers each time, so that two evaluations drive the same starts.
    """
    sequence = np.random.SeedSequence([run_seed, stream, number])
    return int(sequence.generate_state(1)[0] >> 1)


def begin_episode(
    env: gymnasium.Env[Any, Any], seed: int, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Reset the environment to an episode that is a function of `seed`; its first observation.

    The global generators start from the seed too: an environment may draw from them, and an episode that is
    driven again must find there what it found.

    Raises:
        NonFiniteTransition: it begins with what is not finite.
    """
    seed_generators(seed)
    observation: dict[str, Any]
    observation, _ = env.reset(seed=seed, options=dict(options) if options else None)
    refuse_transition(f"the start of the episode with seed {seed}", observation)
    return observation


def seed_generators(seed: int) -> None:
    """Seed the global generators of python, numpy and torch; Pitwall itself draws from its own."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
