"""Whether this machine can carry a run at all: its device, memory, disk and GPU; before anything is allocated."""

import math
import shutil
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from gymnasium import spaces

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from backend.runs.room import kept_checkpoints, transitions_held
from worker.agents.encoders import ENCODERS, make_encoder
from worker.agents.td3 import resolve_device
from worker.memory import available_memory
from worker.replay import ReplaySize, replay_size

# The rest of the trainer and of the machine must live too, and with less the rule `reserve` halts.
SPARE_MEMORY = 1.0e9
SPARE_DISK = 2.2e9
SPARE_GPU = 0.3e9
# Bytes a weight takes at most, which is in the pre-flight's save and restore: online, target, the gradient twice and
# Adam's moments; the copy that is written; the file read again and what it holds; a second learner.
MEMORY_PER_WEIGHT = 100
GPU_PER_WEIGHT = 44
# Of a checkpoint: online, target and Adam's moments.
DISK_PER_WEIGHT = 16
# How often a layer's output exists at once: 10 was a little more than was measured on a GPU, whose update has two CUDA
# graphs with memory of their own; since then the critics' outputs live through the actor's turn too. And what cuDNN and
# cuBLAS work in.
OUTPUT_COPIES = 12
# The same of what the networks are given: s and s' as numbers, and flat ones joined with features and action too.
INPUT_COPIES, FLAT_COPIES = 3, 6
GPU_WORKSPACE = 0.3e9


def check_machine(
    config: RunConfig,
    observations: spaces.Dict,
    action_dim: int,
    folder: Path,
    *,
    begun: bool = False,
) -> None:
    """Refuse a run that cannot fit, with the numbers. The checkpoints of one that has `begun` are there already.

    Raises:
        InvalidConfig: for a device that is not there, or a buffer or networks larger than memory, disk or GPU.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig(
            {"device": "this worker has no GPU that PyTorch can use: choose cpu or auto"}
        )
    size = _learner_size(config, observations, action_dim)
    memory = available_memory() - SPARE_MEMORY
    memory -= _check_learner(config, size, memory)
    need = replay_size(config.buffer_size, observations, action_dim)
    _check("memory", need.memory, memory, config.buffer_size)
    disk = shutil.disk_usage(folder).free - SPARE_DISK
    if begun:
        _check("disk", need.disk, disk, config.buffer_size)
    else:
        _check_disk(config, need, size.weights, disk)
    if resolve_device(config.device) == "cuda":
        _check_gpu(config, learner_memory(config, observations, action_dim))


def checkpoints_size(config: RunConfig, buffer: ReplaySize, networks: int) -> int:
    """Bytes of disk a run's checkpoints take at most; `networks` are those of one without the buffer."""
    transition = (buffer.memory + buffer.disk) / config.buffer_size
    return kept_checkpoints(config) * networks + int(transitions_held(config) * transition)


def _check_disk(config: RunConfig, buffer: ReplaySize, weights: int, free: float) -> None:
    kept, size = kept_checkpoints(config), config.buffer_size
    free -= kept * DISK_PER_WEIGHT * weights

    def need(transitions: int) -> float:
        frames = buffer.disk * transitions / size
        smaller = config.model_copy(update={"buffer_size": transitions})
        return frames + transitions_held(smaller) * (buffer.memory + buffer.disk) / size

    what = (
        f"disk, in {kept} checkpoints (checkpoints_kept {config.checkpoints_kept}) and beside them"
    )
    # a smaller buffer shares less
    _check(what, need(size), free, size, bisect_right(range(1, size), free, key=need))


@dataclass(frozen=True)
class _LearnerSize:
    """Weights of actor and critics, and the numbers their layers are given and give for one transition."""

    weights: int
    inputs: int
    outputs: int

    def batch(self, size: int) -> int:
        """Bytes of an update of a batch."""
        return 4 * size * (OUTPUT_COPIES * self.outputs + self.inputs)


def _learner_size(config: RunConfig, observations: spaces.Dict, action_dim: int) -> _LearnerSize:
    weights, outputs = _head_weights(config, observations, action_dim), sum(config.hidden_sizes)
    outputs *= 3 if config.twin_critics else 2
    if config.uses_images:
        encoder = make_encoder(config, torch.Generator())
        encoders = 1 if config.critic_input == "vector" else 2
        weights += encoders * sum(parameter.numel() for parameter in encoder.parameters())
        outputs += encoders * encoder.outputs
    inputs = FLAT_COPIES * _flat(observations)
    if config.uses_images:
        inputs += INPUT_COPIES * math.prod(observations["image"].shape or ())
    return _LearnerSize(weights, inputs, outputs)


def _flat(observations: spaces.Dict) -> int:
    """Numbers of an observation without its image."""
    return sum(
        math.prod(space.shape or ()) for name, space in observations.items() if name != "image"
    )


def learner_memory(config: RunConfig, observations: spaces.Dict, action_dim: int) -> int:
    """Bytes of a GPU that networks, optimisers and an update of one batch take."""
    size = _learner_size(config, observations, action_dim)
    return int(GPU_PER_WEIGHT * size.weights + size.batch(config.batch_size) + GPU_WORKSPACE)


def _check_gpu(config: RunConfig, need: int) -> None:
    free, total = torch.cuda.mem_get_info()
    if need <= free - SPARE_GPU:
        return
    raise InvalidConfig(
        {
            "batch_size": f"a batch of {config.batch_size:,} and these networks need {need / 1e9:,.1f} GB of the GPU, "
            f"{free / 1e9:,.1f} of its {total / 1e9:,.1f} GB are free: lower batch_size or hidden_sizes, "
            "end what else runs there, or choose the device cpu"
        }
    )


def _check_learner(config: RunConfig, size: _LearnerSize, memory: float) -> int:
    """Bytes of memory networks and, on a CPU, a batch will take."""
    need, free = MEMORY_PER_WEIGHT * size.weights, f"{max(0.0, memory) / 1e9:,.1f} GB can be had"
    if need > memory:
        raise InvalidConfig(
            {
                "hidden_sizes": f"{config.hidden_sizes} makes {size.weights / 1e6:,.0f} million weights, which need "
                f"{need / 1e9:,.1f} GB of memory to train, {free}: take fewer or narrower layers"
            }
        )
    if resolve_device(config.device) == "cpu":
        need += size.batch(config.batch_size)
    if need > memory:
        raise InvalidConfig(
            {
                "batch_size": f"a batch of {config.batch_size:,} and these networks need {need / 1e9:,.1f} GB of memory, "
                f"{free}: lower batch_size or hidden_sizes"
            }
        )
    return need


def _head_weights(config: RunConfig, observations: spaces.Dict, action_dim: int) -> int:
    """Of the actor's and the critics' heads, were each given everything there is to see."""
    features = ENCODERS[config.encoder].features if config.uses_images else 0
    widths = [_flat(observations) + action_dim + features, *config.hidden_sizes, 1]
    heads = 3 if config.twin_critics else 2
    return heads * sum(of * to for of, to in pairwise(widths))


def _check(what: str, need: float, free: float, size: int, fitting: int | None = None) -> None:
    """`fitting` transitions would do; left out, the need grows with their number."""
    free = max(0.0, free)
    if need <= free:
        return
    fitting = int(size * free / need) if fitting is None else fitting
    raise InvalidConfig(
        {
            "buffer_size": f"{size:,} transitions need {need / 1e9:,.1f} GB of {what}, "
            f"{free / 1e9:,.1f} GB can be had: lower it to {fitting:,} at most"
        }
    )
