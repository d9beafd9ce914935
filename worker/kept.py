"""Memory a checkpoint is captured into, kept from one to the next: fresh pages would cost more than the copy."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class KeptMemory:
    """Copies by name. The next copy of that name overwrites the one before, so one capture lives at a time."""

    def __init__(self) -> None:
        self._memory: dict[str, torch.Tensor] = {}

    def array(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """A contiguous copy of `value`, valid until the next of this name."""
        room = self._room(name, value.nbytes, pinned=False).numpy()
        copy = room.view(value.dtype).reshape(value.shape)
        np.copyto(copy, value)
        return copy

    def tensor(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """A contiguous copy of `value` in the machine's memory, wherever the value lies."""
        value = value.detach()
        # a GPU writes into pinned memory several times as fast
        room = self._room(name, value.nbytes, pinned=value.is_cuda)
        return room.view(value.dtype).view(value.shape).copy_(value)

    def _room(self, name: str, size: int, pinned: bool) -> torch.Tensor:
        room = self._memory.get(name)
        if room is None or len(room) < size:
            room = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
            self._memory[name] = room
        return room[:size]
