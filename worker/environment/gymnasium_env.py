"""Any registered Gymnasium environment in the shape of ours: Dict observation, actions in [-1, 1]."""

import math
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import RescaleAction, TimeLimit

from backend.errors import InvalidConfig
from worker.environment.observation import Action, Observation

LONGEST_EPISODE = 10_000


class GymnasiumEnv(gymnasium.Env[Observation, Action]):
    """Observations are flattened into `vector`; the episode's sums come in `info["episode"]`.

    Of `info` nothing else is passed on: other environments' words may mean anything. One without a time limit is
    truncated after 10,000 decisions, or the first evaluation might never end.

    Attributes:
        max_episode_steps: decisions after which an episode is truncated.

    Raises:
        InvalidConfig: the ID is not registered, its actions are no bounded Box of floats, or its observations
            cannot be flattened.
    """

    def __init__(self, name: str) -> None:
        try:
            inner = gymnasium.make(name, disable_env_checker=True)
            seen = spaces.flatten_space(inner.observation_space)
        except Exception as error:  # a module of the user's own may fail in any way
            raise _refused(name, f"{type(error).__name__}: {error}") from error
        if not isinstance(inner.action_space, spaces.Box):
            raise _refused(name, f"its actions are {inner.action_space}, a Box is needed")
        if not np.issubdtype(inner.action_space.dtype, np.floating):
            raise _refused(name, f"its actions {inner.action_space} are whole numbers, not floats")
        if not inner.action_space.is_bounded():
            raise _refused(name, f"its actions {inner.action_space} have no bounds to scale to")
        if not isinstance(seen, spaces.Box):
            raise _refused(
                name, f"its observations {inner.observation_space} have no one length to flatten to"
            )
        box = inner.action_space
        if not math.prod(seen.shape) or not math.prod(box.shape):
            raise _refused(name, f"it has nothing to see or to do: {seen}, {box}")
        limit = inner.spec.max_episode_steps if inner.spec else None
        if limit is None:
            inner = TimeLimit(inner, LONGEST_EPISODE)
        self.max_episode_steps = limit or LONGEST_EPISODE
        self._space = inner.observation_space
        self._env: gymnasium.Env[Any, Any] = inner
        self._box = box
        with np.errstate(divide="ignore", invalid="ignore"):
            self._rescaling = RescaleAction(inner, np.float32(-1), np.float32(1))
        with np.errstate(over="ignore"):  # bounds beyond float32 are none
            low, high = seen.low.astype(np.float32), seen.high.astype(np.float32)
        flat = spaces.Box(low.ravel(), high.ravel(), dtype=np.float32)
        self.observation_space = spaces.Dict({"vector": flat})
        self.action_space = spaces.Box(-1.0, 1.0, (math.prod(box.shape),))
        self._return = 0.0
        self._length = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._return, self._length = 0.0, 0
        observation, _ = self._env.reset(seed=seed)
        return self._seen(observation), {}

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, _ = self._env.step(self._rescaled(action))
        self._return += float(reward)
        self._length += 1
        ended = "timeout" if truncated else "other" if terminated else None
        info: dict[str, Any] = {"termination": ended}
        if terminated or truncated:
            info["episode"] = {"return": self._return, "length": float(self._length)}
        return self._seen(observation), reward, terminated, truncated, info

    def _rescaled(self, action: Action) -> Action:
        """In the environment's own box to the last bit: rounding may leave it, and a side of no length divides by 0."""
        bounded = np.clip(action, -1.0, 1.0).reshape(self._box.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = self._rescaling.action(bounded)
        low, high = self._box.low, self._box.high
        return np.where(low == high, low, np.clip(scaled, low, high)).astype(self._box.dtype)

    def _seen(self, observation: Any) -> Observation:
        # a copy: environments may hand out one array again and again
        flat = spaces.flatten(self._space, observation)
        return {"vector": np.array(flat, dtype=np.float32).ravel()}

    def close(self) -> None:
        self._env.close()


def _refused(name: str, problem: str) -> InvalidConfig:
    return InvalidConfig({"environment": f"gymnasium:{name} cannot be used: {problem}"})
