"""Memory a checkpoint is captured into, kept from one to the next: fresh pages would cost more than the copy."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class KeptMemory:
    """Copies by name. The next copy of that name overwrites the one before, so one capture lives at a time."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """A contiguous copy of `value`, valid until the next of this name."""
        room = self._memory.get(name)
        if room is None or len(room) < value.nbytes:
            room = self._memory[name] = np.empty(value.nbytes, np.uint8)
        copy = room[: value.nbytes].view(value.dtype).reshape(value.shape)
        np.copyto(copy, value)
        return copy

    def tensor(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """A copy of `value` in the machine's memory, wherever the value lies."""
        value = value.detach()
        # of a tensor on a GPU this one line waits for the device, once a checkpoint
        return torch.from_numpy(self.array(name, value.cpu().numpy()))
