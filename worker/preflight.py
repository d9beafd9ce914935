"""Whether this machine can carry a run at all: its device, memory, disk and GPU; before anything is allocated."""

import math
import shutil
from itertools import pairwise
from pathlib import Path

import torch
from gymnasium import spaces
from psutil import virtual_memory

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from worker.agents.encoders import ENCODERS, make_encoder
from worker.agents.td3 import resolve_device
from worker.replay import replay_size

# The rest of the trainer and of the machine must live too.
SPARE_MEMORY = 1.0e9
SPARE_DISK = 1.0e9
# A weight is kept five times in four bytes: online, target, gradient and Adam's two moments.
BYTES_PER_WEIGHT = 20
# Of a GPU: what cuDNN and cuBLAS work in, and how often a layer's output exists at once, which is a little more
# than was measured. An update has two CUDA graphs with memory of their own, and goes through online and target
# networks, there and back.
GPU_WORKSPACE = 0.3e9
GPU_OUTPUT_COPIES = 10


def check_machine(
    config: RunConfig, observations: spaces.Dict, action_dim: int, folder: Path
) -> None:
    """Refuse a run that cannot fit, with the numbers.

    Raises:
        InvalidConfig: for a device that is not there, or a buffer or networks larger than memory, disk or GPU.
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
    if resolve_device(config.device) == "cuda":
        _check_gpu(config, learner_memory(config, observations, action_dim))


def learner_memory(config: RunConfig, observations: spaces.Dict, action_dim: int) -> int:
    """Bytes of a GPU that networks, optimisers and an update of one batch take."""
    encoder = make_encoder(config, torch.Generator()) if config.uses_images else None
    weights, outputs = _head_weights(config, observations, action_dim), sum(config.hidden_sizes)
    outputs *= 3 if config.twin_critics else 2
    if encoder is not None:
        encoders = 1 if config.critic_input == "vector" else 2
        weights += encoders * sum(parameter.numel() for parameter in encoder.parameters())
        outputs += encoders * encoder.outputs
    floats = GPU_OUTPUT_COPIES * config.batch_size * outputs
    return int(BYTES_PER_WEIGHT * weights + 4 * floats + GPU_WORKSPACE)


def _check_gpu(config: RunConfig, need: int) -> None:
    free, total = torch.cuda.mem_get_info()
    if need <= free:
        return
    raise InvalidConfig(
        {
            "batch_size": f"a batch of {config.batch_size:,} and these networks need {need / 1e9:,.1f} GB of the GPU, "
            f"{free / 1e9:,.1f} of its {total / 1e9:,.1f} GB are free: lower batch_size or hidden_sizes, "
            "end what else runs there, or choose the device cpu"
        }
    )


def _check_networks(
    config: RunConfig, observations: spaces.Dict, action_dim: int, memory: float
) -> None:
    weights = _head_weights(config, observations, action_dim)
    if (need := BYTES_PER_WEIGHT * weights) > memory:
        raise InvalidConfig(
            {
                "hidden_sizes": f"{config.hidden_sizes} makes {weights / 1e6:,.0f} million weights, which need "
                f"{need / 1e9:,.1f} GB of memory to train, {max(0.0, memory) / 1e9:,.1f} GB can be had: "
                "take fewer or narrower layers"
            }
        )


def _head_weights(config: RunConfig, observations: spaces.Dict, action_dim: int) -> int:
    """Of the actor's and the critics' heads, were each given everything there is to see."""
    flat = sum(
        math.prod(space.shape or ()) for name, space in observations.items() if name != "image"
    )
    features = ENCODERS[config.encoder].features if config.uses_images else 0
    widths = [flat + action_dim + features, *config.hidden_sizes, 1]
    heads = 3 if config.twin_critics else 2
    return heads * sum(of * to for of, to in pairwise(widths))


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
