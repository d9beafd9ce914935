"""How widely actions are spread, and how much of steering and speed the replay buffer has seen."""

import numpy as np
from numpy.typing import NDArray

from backend.metrics.behaviour_metrics import BINS, TOP_SPEED, bins
from worker.environment.observation import VECTOR_SCALE
from worker.replay import ReplayBuffer

# Transitions looked at, evenly spread over the buffer: a percent is a percent of these.
SURVEYED = 20_000
# metres per second of the first number of the scaled vector
SPEED_UNIT = 30.0 / float(VECTOR_SCALE[0])


def histogram(
    prefix: str, values: NDArray[np.float32], low: float, high: float
) -> dict[str, float]:
    """Percent of `values` in each of the catalogue's bins; what lies outside counts to the nearest."""
    counts = np.bincount(_bin(values, low, high), minlength=BINS)
    shares = 100.0 * counts / max(1, len(values))
    return dict(zip(bins(prefix), shares.tolist(), strict=True))


def replay_coverage(replay: ReplayBuffer) -> dict[str, float]:
    """The catalogue's `replay/` metrics of a driving run's buffer."""
    steering = replay.survey("action", 0, SURVEYED)
    speed = replay.survey("vector", 0, SURVEYED) * SPEED_UNIT
    cells = BINS * _bin(steering, -1, 1) + _bin(speed, 0, TOP_SPEED)
    return {
        **histogram("replay/steering", steering, -1, 1),
        **histogram("replay/speed", speed, 0, TOP_SPEED),
        "replay/coverage": 100.0 * len(np.unique(cells)) / BINS**2,
    }


def _bin(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    found: NDArray[np.float32] = (values - low) * (BINS / (high - low))
    return np.clip(found, 0, BINS - 1).astype(np.int64)
