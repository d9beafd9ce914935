"""How far a run is: its counters and the episode it is in, all that a checkpoint needs besides weights."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Observation = dict[str, NDArray[Any]]


@dataclass
class Episode:
    """A training episode under way; its seed and its actions replay it.

    `observation` is what the policy acts on next, `rewards` are what the actions earned.
    """

    number: int
    seed: int
    observation: Observation
    actions: list[NDArray[np.float32]] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)


@dataclass
class Progress:
    """Counters of a run. `references` are episodes of the random policy driven, `baseline` tells whether
    the scripted driver was measured; `update_debt` carries fractions of updates from step to step.

    `best` is (success rate, mean return) of the best evaluation so far; evaluations and checkpoints
    are due at multiples of their intervals, evaluations at the first episode's end from there. `elsewhere_due`:
    the last one has not yet been driven where the policy never trained.
    """

    step: int = 0
    episodes: int = 0
    references: int = 0
    baseline: bool = False
    update_debt: float = 0.0
    next_evaluation: int = 0
    elsewhere_due: bool = False
    best: tuple[float, float] | None = None
    episode: Episode | None = None
