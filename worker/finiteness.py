"""What an environment and a policy give each other, refused where it is not finite."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from worker.agents import NonFiniteAction, NonFiniteTransition
from worker.environment.observation import Action, Observation

# Rewards are stored as float32.
LARGEST = float(np.finfo(np.float32).max)


def refuse_transition(
    where: str,
    observation: Observation,
    reward: float = 0.0,
    before: Mapping[str, NDArray[np.float32]] | None = None,
) -> None:
    """One NaN in the buffer would come back in batch after batch, and with every checkpoint of it.

    `before` is evidence of how it came about: the action, and what it was taken on.

    Raises:
        NonFiniteTransition: the reward or a part of the observation is not finite.
    """
    # pictures are bytes
    numbers = {name: part for name, part in observation.items() if part.dtype != np.uint8}
    if abs(reward) <= LARGEST and all(np.isfinite(part).all() for part in numbers.values()):
        return
    found = {"reward": np.array(reward)} | {f"next_{name}": p for name, p in numbers.items()}
    raise NonFiniteTransition(where, {**(before or {}), **found})


def refuse_action(where: str, action: Action, observation: Observation) -> None:
    """No environment promises anything about a NaN.

    Raises:
        NonFiniteAction: with the action and the observation.
    """
    if not np.isfinite(action).all():
        raise NonFiniteAction(where, {"action": action, "observation": observation["vector"]})
