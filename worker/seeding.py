"""Seeds of episodes: a function of the run's seed and the episode's number, so nothing needs saving."""

from enum import IntEnum

import numpy as np


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
