"""Evaluations that came out the same to the last bit: what is evaluated did not change between them; pure."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Points(Protocol):
    """Points of one metric: equally long arrays, steps not decreasing."""

    @property
    def step(self) -> NDArray[np.int64]: ...

    @property
    def value(self) -> NDArray[np.float64]: ...


def identical_pairs(
    means: Points, episodes: Points | None = None, learning_starts: int | None = None
) -> tuple[tuple[int, int], ...]:
    """(step, next step) of neighbouring evaluations with equal means and, where kept, equal episodes.

    The first of a pair lies after `learning_starts`: before it nothing can have changed.
    """
    found = []
    for index in range(1, len(means.step)):
        first, second = int(means.step[index - 1]), int(means.step[index])
        if learning_starts is not None and first <= learning_starts:
            continue
        equal = bool(means.value[index - 1] == means.value[index])
        if equal and (episodes is None or _same(episodes, first, second)):
            found.append((first, second))
    return tuple(found)


def _same(episodes: Points, first: int, second: int) -> bool:
    a, b = (episodes.value[episodes.step == step] for step in (first, second))
    return bool(np.array_equal(a, b))
