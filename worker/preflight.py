"""Whether this machine can carry a run at all: its device, its memory, its disk; before anything is allocated."""

import math
import shutil
from itertools import pairwise
from pathlib import Path

import torch
from gymnasium import spaces
from psutil import virtual_memory

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from worker.replay import replay_size

# The rest of the trainer and of the machine must live too.
SPARE_MEMORY = 1.0e9
SPARE_DISK = 1.0e9
# A weight is kept five times in four bytes: online, target, gradient and Adam's two moments.
BYTES_PER_WEIGHT = 20
# Features of the image encoder, the widest input the heads have.
FEATURES = 512


def check_machine(
    config: RunConfig, observations: spaces.Dict, action_dim: int, folder: Path
) -> None:
    """Refuse a run that cannot fit, with the numbers.

    Raises:
        InvalidConfig: for a device that is not there, or a buffer or networks larger than memory or disk.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig(
            {"device": "this worker has no GPU that PyTorch can use: choose cpu or auto"}
        )
    memory = virtual_memory().available - SPARE_MEMORY
    _check_networks(config, observations, action_dim, memory)
    need = replay_size(config.buffer_size, observations, action_dim)
    _check("memory", need.memory, memory, config.buffer_size)
    _check("disk", need.disk, shutil.disk_usage(folder).free - SPARE_DISK, config.buffer_size)


def _check_networks(
    config: RunConfig, observations: spaces.Dict, action_dim: int, memory: float
) -> None:
    flat = sum(
        math.prod(space.shape or ()) for name, space in observations.items() if name != "image"
    )
    widths = [flat + action_dim + FEATURES * config.uses_images, *config.hidden_sizes, 1]
    heads = 3 if config.twin_critics else 2
    weights = heads * sum(of * to for of, to in pairwise(widths))
    if (need := BYTES_PER_WEIGHT * weights) > memory:
        raise InvalidConfig(
            {
                "hidden_sizes": f"{config.hidden_sizes} makes {weights / 1e6:,.0f} million weights, which need "
                f"{need / 1e9:,.1f} GB of memory to train, {max(0.0, memory) / 1e9:,.1f} GB can be had: "
                "take fewer or narrower layers"
            }
        )


def _check(what: str, need: float, free: float, size: int) -> None:
    if need <= free:
        return
    fitting = max(0, int(size * free / need))
    raise InvalidConfig(
        {
            "buffer_size": f"{size:,} transitions need {need / 1e9:,.1f} GB of {what}, "
            f"{max(0.0, free) / 1e9:,.1f} GB can be had: lower it to {fitting:,} at most"
        }
    )
