"""A maximum over a sliding window, in constant amortised time per value."""

import math
from collections import deque


class SlidingMaximum:
    """The largest number pushed since the step last expired; steps must not decrease. NaN is none."""

    def __init__(self) -> None:
        self._falling: deque[tuple[int, float]] = deque()

    def push(self, step: int, value: float) -> None:
        if math.isnan(value):
            return
        while self._falling and self._falling[-1][1] <= value:
            self._falling.pop()
        self._falling.append((step, value))

    def expire(self, before: int) -> None:
        """Forget values of steps up to and including `before`."""
        while self._falling and self._falling[0][0] <= before:
            self._falling.popleft()

    @property
    def maximum(self) -> float | None:
        return self._falling[0][1] if self._falling else None
