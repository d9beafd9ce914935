"""A batch of replayed transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Observations = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Batch:
    """B transitions (s, a, r, s', terminated).

    `observations` and `next_observations` map a name to a tensor [B, ...]; `actions` is [B, A];
    `rewards` [B] are as the environment gave them; `terminations` [B] is 1 where s' is terminal and
    0 where the episode went on or was truncated (truncations bootstrap). `indices` [B] names the
    transitions in the buffer they were sampled from.
    """

    observations: Observations
    actions: torch.Tensor
    rewards: torch.Tensor
    next_observations: Observations
    terminations: torch.Tensor
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rewards)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, observations as `observations.NAME`."""
        tensors = {
            "actions": self.actions,
            "rewards": self.rewards,
            "terminations": self.terminations,
            **{f"observations.{name}": value for name, value in self.observations.items()},
            **{f"next_observations.{name}": v for name, v in self.next_observations.items()},
        }
        return {"indices": self.indices, **{k: v.cpu().numpy() for k, v in tensors.items()}}

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; itself if it is there already."""
        if self.rewards.device == device:
            return self
        return Batch(
            {
                name: value.to(device, non_blocking=True)
                for name, value in self.observations.items()
            },
            self.actions.to(device, non_blocking=True),
            self.rewards.to(device, non_blocking=True),
            {
                name: value.to(device, non_blocking=True)
                for name, value in self.next_observations.items()
            },
            self.terminations.to(device, non_blocking=True),
            self.indices,
        )
