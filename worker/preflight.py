"""Whether this machine can carry a run at all: its device, its memory, its disk; before anything is allocated."""

import shutil
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


def check_machine(
    config: RunConfig, observations: spaces.Dict, action_dim: int, folder: Path
) -> None:
    """Refuse a run that cannot fit, with the numbers.

    Raises:
        InvalidConfig: for a device that is not there, or a buffer larger than memory or disk.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig(
            {"device": "this worker has no GPU that PyTorch can use: choose cpu or auto"}
        )
    need = replay_size(config.buffer_size, observations, action_dim)
    _check("memory", need.memory, virtual_memory().available - SPARE_MEMORY, config.buffer_size)
    _check("disk", need.disk, shutil.disk_usage(folder).free - SPARE_DISK, config.buffer_size)


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
