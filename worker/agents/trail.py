"""Updates whose outcome the device has not told yet: nobody waits for it, and no evidence is lost."""

from collections import deque
from dataclasses import dataclass

import torch

from worker.replay.batch import Batch


@dataclass(frozen=True)
class Footprint:
    """What repeats an update: its number, what it learnt from, and where the noise's generator stood."""

    update: int
    batch: Batch
    noise: torch.Tensor


@dataclass(frozen=True)
class _Answer:
    """A copy of the device's scalar in the machine's memory, to be read once it has arrived."""

    value: torch.Tensor
    arrived: torch.cuda.Event | None

    def wait(self) -> bool:
        if self.arrived is not None:
            self.arrived.synchronize()
        return bool(self.value.item())


class Trail:
    """The last updates, told broken or sound `lag` updates later, when the device is done with them anyway.

    `broken` is a device scalar that turns 1 at the first broken update and stays so.
    """

    def __init__(self, broken: torch.Tensor, lag: int) -> None:
        self._broken = broken
        self._lag = lag
        self._waiting: deque[tuple[Footprint, _Answer]] = deque()

    def leave(self, footprint: Footprint) -> Footprint | None:
        """Note an update that was just given to the device; the first broken one, if it is known by now."""
        self._waiting.append((footprint, _ask(self._broken)))
        return self._first_broken(self._lag)

    def wait(self) -> Footprint | None:
        """The first broken update, once the device has done all of them."""
        return self._first_broken(0)

    def clear(self) -> None:
        self._waiting.clear()

    def _first_broken(self, unasked: int) -> Footprint | None:
        while len(self._waiting) > unasked:
            footprint, answer = self._waiting[0]
            if answer.wait():
                return footprint
            self._waiting.popleft()
        return None


def _ask(scalar: torch.Tensor) -> _Answer:
    if not scalar.is_cuda:
        return _Answer(scalar.clone(), None)
    value = torch.empty_like(scalar, device="cpu", pin_memory=True)
    value.copy_(scalar, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()
    return _Answer(value, arrived)
