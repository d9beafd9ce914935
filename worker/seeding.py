"""Seeds: of episodes a function of the run's seed and the episode's number, so nothing needs saving."""

import random
from enum import IntEnum

import numpy as np
import torch


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


def seed_generators(seed: int) -> None:
    """Seed the global generators of python, numpy and torch.

    Pitwall draws from generators of its own; environments and code of users may draw from these.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
