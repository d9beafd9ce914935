"""Replay memory."""

from worker.replay.batch import Batch
from worker.replay.buffer import ReplayBuffer

__all__ = ["Batch", "ReplayBuffer"]
