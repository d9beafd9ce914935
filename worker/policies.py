"""The policy of a checkpoint: to call in a notebook, or as a file for the car."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from backend.checkpoints.files import read_manifest
from backend.errors import PitwallError
from backend.runs.config import RunConfig
from worker.agents.encoders import prepare
from worker.agents.networks import Actor
from worker.agents.policy import Policy
from worker.checkpointing import load_checkpoint


def load_policy(path: Path | str) -> Policy:
    """The policy saved at `path`, on the CPU: `load_policy(path)(observation)` is an action in [-1, 1].

    Raises:
        CheckpointDamaged: a file does not match its hash.
    """
    path = Path(path)
    manifest = read_manifest(path)
    space = spaces.Dict(
        {
            name: spaces.Box(-np.inf, np.inf, tuple(shape))
            for name, shape in manifest["observation_shapes"].items()
        }
    )
    config = RunConfig.model_validate(manifest["config"])
    actor = Actor(config, space, manifest["action_dim"], torch.Generator())
    actor.load_state_dict(load_checkpoint(path).agent["actor"])
    return Policy(config, actor.requires_grad_(False), torch.device("cpu"))


def policy_for(path: Path, observation_space: spaces.Dict) -> Policy:
    """The policy saved at `path`, if it can read the space's observations.

    Raises:
        PitwallError: it cannot.
    """
    policy, shapes = load_policy(path), read_manifest(path)["observation_shapes"]
    for name in policy.names:
        shown = observation_space.spaces.get(name)
        if shown is None or list(shown.shape or ()) != shapes[name]:
            raise PitwallError(
                f"the policy of {path.name} was trained to see {name} {shapes[name]}, which this environment "
                "does not show: evaluate it with the observation it was trained with"
            )
    return policy


def export_policy(path: Path | str, file: Path | str) -> tuple[str, ...]:
    """Write the policy of a checkpoint as TorchScript, for C++ and Python without Pitwall.

    The module takes the parts of the observation in the order returned, each with a batch dimension of 1
    (images uint8, the rest float32), and gives actions [1, A].
    """
    policy = load_policy(path)
    shapes = read_manifest(Path(path))["observation_shapes"]
    examples = tuple(
        torch.zeros(1, *shapes[name], dtype=torch.uint8 if name == "image" else torch.float32)
        for name in policy.names
    )
    with warnings.catch_warnings():
        # torch 2.13 deprecates it, but it is what a C++ program in a car can load today
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        with torch.inference_mode():
            torch.jit.trace(_Positional(policy), examples).save(str(file))  # type: ignore[no-untyped-call]
    return policy.names


class _Positional(nn.Module):
    """The actor with the parts of the observation as arguments; TorchScript has no dicts of tensors."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.config = policy.config
        self.actor = policy.actor
        self.names = policy.names

    def forward(self, *parts: torch.Tensor) -> Any:
        return self.actor(prepare(self.config, dict(zip(self.names, parts, strict=True))))
