"""How much of the replay buffer lies on the disk in a run's checkpoints. Pure."""

from backend.runs.config import RunConfig


def kept_checkpoints(config: RunConfig) -> int:
    """At most, at once: those at intervals, the best, and the last."""
    return min(config.checkpoints_kept, config.total_steps // config.checkpoint_interval) + 2


def transitions_held(config: RunConfig) -> int:
    """Transitions in all files of all checkpoints at most, one in two files counted twice.

    The best may be old and share nothing. Of the others, every other one shares what did not change between.
    """
    filled = min(config.buffer_size, config.total_steps)
    chain = kept_checkpoints(config) - 1
    new = 2 * max(0, chain - 2) * config.checkpoint_interval
    return min(chain * filled, 2 * filled + new) + filled
