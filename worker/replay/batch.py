"""A batch of replayed transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

IMAGE = "image"

Observations = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Batch:
    """B transitions (s, a, r, s', terminated).

    `observations` and `next_observations` map a name to a tensor [B, ...]; `actions` is [B, A];
    `rewards` [B] are as the environment gave them; `terminations` [B] is 1 where s' is terminal and
    0 where the episode went on or was truncated (truncations bootstrap). `indices` [B] names the
    transitions in the buffer they were sampled from. `frames` [B, stack + 1, H, W], if given, is what
    both images are views of.
    """

    observations: Observations
    actions: torch.Tensor
    rewards: torch.Tensor
    next_observations: Observations
    terminations: torch.Tensor
    indices: NDArray[np.int64]
    frames: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, observations as `observations.NAME`."""
        found = _named("observations", self.observations) | self._numbers()
        found |= _named("next_observations", self.next_observations)
        return {"indices": self.indices, **{k: v.cpu().numpy() for k, v in found.items()}}

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; itself if it is there already."""
        if self.rewards.device == device:
            return self
        return self._of({name: _moved(value, device) for name, value in self._memory().items()})

    def fill(self, other: "Batch") -> None:
        """Overwrite the tensors with those of a batch of equal shapes, without waiting for the device."""
        theirs = other._memory()
        for name, mine in self._memory().items():
            mine.copy_(_pinned(theirs[name], mine.device), non_blocking=True)

    def _numbers(self) -> dict[str, torch.Tensor]:
        return {
            "actions": self.actions,
            "rewards": self.rewards,
            "terminations": self.terminations,
        }

    def _memory(self) -> dict[str, torch.Tensor]:
        """By name, every tensor once: images that share frames are these frames."""
        here, there = dict(self.observations), dict(self.next_observations)
        found = self._numbers()
        if self.frames is not None:
            del here[IMAGE], there[IMAGE]
            found["frames"] = self.frames
        return found | _named("observations", here) | _named("next_observations", there)

    def _of(self, memory: Mapping[str, torch.Tensor]) -> "Batch":
        """A batch like this one in other memory, of the names `_memory()` gives."""
        here, there = _unnamed("observations", memory), _unnamed("next_observations", memory)
        frames = memory.get("frames")
        if frames is not None:
            here[IMAGE], there[IMAGE] = images_of(frames)
        numbers = {name: memory[name] for name in self._numbers()}
        return Batch(here, next_observations=there, indices=self.indices, frames=frames, **numbers)


def images_of(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The stacks of s and of s', which share all frames but one."""
    return frames[:, :-1], frames[:, 1:]


def _named(kind: str, observations: Observations) -> dict[str, torch.Tensor]:
    return {f"{kind}.{name}": value for name, value in observations.items()}


def _unnamed(kind: str, memory: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = f"{kind}."
    return {name.removeprefix(prefix): v for name, v in memory.items() if name.startswith(prefix)}


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return _pinned(tensor, device).to(device, non_blocking=True)


def _pinned(tensor: torch.Tensor, target: torch.device) -> torch.Tensor:
    """Memory a GPU copies from while we go on; PyTorch keeps it until the copy is done."""
    pin = target.type == "cuda" and not tensor.is_cuda and not tensor.is_pinned()
    return tensor.pin_memory() if pin else tensor
