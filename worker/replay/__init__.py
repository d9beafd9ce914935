"""Replay memory."""

from worker.replay.batch import Batch
from worker.replay.buffer import ReplayBuffer
from worker.replay.storage import ReplaySize, ReplayTooLarge, replay_size

__all__ = ["Batch", "ReplayBuffer", "ReplaySize", "ReplayTooLarge", "replay_size"]
