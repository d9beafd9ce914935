"""Which slots of a ring hold transitions that can still be replayed. Indices only, no data."""

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]


class SlotQueue:
    """Slots are numbered as they are appended, for ever; slot n lies at position n % `size`.

    A transition starts in one slot and ends in the next. It needs the slots of its frame stack too, so it
    leaves the queue when the first slot it needs is about to be overwritten, or when more than `capacity`
    transitions are held.
    """

    def __init__(self, size: int, capacity: int) -> None:
        self.size = size
        self.capacity = capacity
        self.head = 0  # number of the next slot
        self.count = 0
        self._first = 0
        self._starts = np.zeros(capacity, np.int64)
        self._needs = np.zeros(capacity, np.int64)

    @property
    def bytes(self) -> int:
        return self._starts.nbytes + self._needs.nbytes

    def append(self) -> int:
        """The number of a new slot, free to be written."""
        number = self.head
        overwritten = number - self.size
        while self.count and self._needs[self._first] <= overwritten:
            self._drop()
        self.head += 1
        return number

    def link(self, start: int, reach: int) -> None:
        """A transition from slot `start` to the one after it, that needs `reach` slots before it."""
        if self.count == self.capacity:
            self._drop()
        place = (self._first + self.count) % self.capacity
        self._starts[place] = start
        self._needs[place] = start - reach
        self.count += 1

    def starts(self, order: Slots) -> Slots:
        """Numbers of the starting slots of the transitions at `order` [B], 0 being the oldest."""
        return self._starts[(self._first + order) % self.capacity]

    def _drop(self) -> None:
        self._first = (self._first + 1) % self.capacity
        self.count -= 1
