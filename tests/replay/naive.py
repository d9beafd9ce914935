"""A replay store that keeps everything as it was given; slow, large and plainly right."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Observation = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Transition:
    observation: Observation
    action: NDArray[np.float32]
    reward: float
    next_observation: Observation
    terminated: bool


class NaiveReplay:
    def __init__(self, capacity: int) -> None:
        self.transitions: deque[Transition] = deque(maxlen=capacity)

    def add(
        self,
        observation: Observation,
        action: NDArray[np.float32],
        reward: float,
        next_observation: Observation,
        terminated: bool,
        truncated: bool,
    ) -> None:
        self.transitions.append(
            Transition(observation, action, reward, next_observation, terminated)
        )


class StackedWorld:
    """Episodes of numbered frames, stacked as an environment stacks them: the first frame repeated."""

    def __init__(self, stack: int, size: int = 4) -> None:
        self.stack = stack
        self.size = size
        self.clock = 0
        self.frames: deque[NDArray[np.uint8]] = deque(maxlen=max(stack, 1))

    def reset(self) -> Observation:
        first = self._frame()
        self.frames.extend([first] * max(self.stack, 1))
        return self._observation()

    def step(self) -> Observation:
        self.frames.append(self._frame())
        return self._observation()

    def _frame(self) -> NDArray[np.uint8]:
        self.clock += 1
        return np.full((self.size, self.size), self.clock % 251, np.uint8)

    def _observation(self) -> Observation:
        found: Observation = {"vector": np.array([self.clock, -self.clock], np.float32)}
        if self.stack:
            found["image"] = np.stack(list(self.frames))
        return found
