"""Exploration: what is tried before learning starts, and the noise on the policy afterwards."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.runs.config import RunConfig

Action = NDArray[np.float32]

# Shares of the held driving exploration; the rest is uniform, so every action stays possible.
FORWARD_SHARE = 0.75
SMALL_STEERING_SHARE = 0.8
SMALL_STEERING_STD = 0.2


class Exploration:
    """Actions in [-1, 1]^n with a generator of its own, so a resumed run draws what it would have drawn.

    Before `learning_starts` call `explore()`, afterwards `perturb(policy's action, step)`; call `reset()`
    where an episode begins. `steps` are decisions.
    """

    def __init__(self, config: RunConfig, action_dim: int) -> None:
        self._config = config
        self._action_dim = action_dim
        self._drives = config.is_carla
        self._generator = np.random.default_rng([config.seed, 1])
        self._held: Action | None = None

    def explore(self) -> Action:
        """A new uniform action, or one held for a geometric number of decisions."""
        if self._config.exploration == "uniform":
            return self._uniform()
        if self._held is None or self._generator.random() < 1 / self._config.hold_decisions:
            self._held = self._driving() if self._drives else self._uniform()
        return self._held.copy()

    def perturb(self, action: Action, step: int) -> Action:
        """`action` with N(0, sigma(step)) added, clipped to [-1, 1]."""
        noise = self._generator.normal(0.0, self.sigma(step), self._action_dim)
        return np.clip(action + noise, -1, 1).astype(np.float32)

    def sigma(self, step: int) -> float:
        """Standard deviation of the policy's noise at `step`, decaying from the start of learning."""
        config = self._config
        age = max(0, step - config.learning_starts)
        spread = config.noise_initial - config.noise_final
        return config.noise_final + spread * math.exp(-config.noise_decay * age)

    def reset(self) -> None:
        """Let go of a held action: an episode begins."""
        self._held = None

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self._generator.bit_generator.state, "held": self._held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state["generator"]
        held = state["held"]
        self._held = None if held is None else np.asarray(held)

    def _uniform(self) -> Action:
        return self._generator.uniform(-1, 1, self._action_dim).astype(np.float32)

    def _driving(self) -> Action:
        """Mostly forward and mostly straight: braking is stronger than throttle, so iid uniform stands still."""
        draw = self._generator
        small = draw.random() < SMALL_STEERING_SHARE
        steering = draw.normal(0.0, SMALL_STEERING_STD) if small else draw.uniform(-1, 1)
        forward = draw.random() < FORWARD_SHARE
        pedal = draw.uniform(0, 1) if forward else draw.uniform(-1, 0)
        return np.clip([steering, pedal], -1, 1).astype(np.float32)
