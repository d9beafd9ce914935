"""Memory and mapped file of a replay buffer: how much, and where."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from backend.errors import PitwallError
from worker.replay.batch import IMAGE

SPARE_SHARE = 64  # an episode takes one slot more than it has transitions


class ReplayTooLarge(PitwallError):
    """The disk cannot hold the configured buffer."""

    status = 507
    title = "Replay buffer too large"


@dataclass(frozen=True)
class ReplaySize:
    """Bytes a buffer will take: of memory, and of disk for the mapped frames."""

    memory: int
    disk: int


def replay_size(capacity: int, observation_space: spaces.Dict, action_dim: int) -> ReplaySize:
    """What a buffer of `capacity` transitions needs, without allocating it."""
    stack = stack_of(observation_space)
    size = slots(capacity, stack)
    fields = [name for name in observation_space.spaces if name != IMAGE]
    slot = allocate(1, observation_space, fields, action_dim)
    queue = 2 * capacity * np.dtype(np.int64).itemsize
    frame = math.prod((observation_space[IMAGE].shape or ())[1:]) if stack else 0
    memory = size * sum(array.nbytes for array in slot.values()) + queue
    return ReplaySize(memory, size * frame)


def stack_of(space: spaces.Dict) -> int:
    image = space.spaces.get(IMAGE)
    return image.shape[0] if image is not None and image.shape else 0


def slots(capacity: int, stack: int) -> int:
    return capacity + capacity // SPARE_SHARE + max(stack, 1) + 1


def allocate(
    size: int, space: spaces.Dict, fields: list[str], action_dim: int
) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        name: np.zeros((size, *(space[name].shape or ())), np.float32) for name in fields
    }
    return arrays | {
        "action": np.zeros((size, action_dim), np.float32),
        "reward": np.zeros(size, np.float32),
        "terminated": np.zeros(size, np.bool_),
        "linked": np.zeros(size, np.bool_),
        "age": np.zeros(size, np.uint8),
    }


def map_frames(size: int, shape: tuple[int, ...], folder: Path | None) -> NDArray[np.uint8]:
    """Frames in a file the system may page out; unlinked at once, so nothing is left behind.

    Its blocks are reserved here: a disk that fills up under a mapping kills the process without a word.
    """
    needed = size * math.prod(shape)
    with TemporaryFile(dir=folder, prefix="replay-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, needed)
        except OSError as error:
            raise ReplayTooLarge(
                f"the replay buffer needs {needed / 1e9:.1f} GB of disk: {error.strerror}; "
                "lower buffer_size or free space"
            ) from error
        return np.memmap(file, np.uint8, "r+", shape=(size, *shape))
