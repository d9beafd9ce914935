"""Any registered Gymnasium environment in the shape of ours: Dict observation, actions in [-1, 1]."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import RescaleAction

from backend.errors import InvalidConfig
from worker.environment.observation import Action, Observation


class GymnasiumEnv(gymnasium.Env[Observation, Action]):
    """Observations are flattened into `vector`; the episode's sums come in `info["episode"]`.

    Attributes:
        max_episode_steps: decisions after which an episode is truncated; None: never.

    Raises:
        InvalidConfig: the ID is not registered, or its spaces are not boxes.
    """

    def __init__(self, name: str) -> None:
        try:
            inner = gymnasium.make(name, disable_env_checker=True)
        except Exception as error:  # a module of the user's own may fail in any way
            raise _refused(name, f"{type(error).__name__}: {error}") from error
        if not isinstance(inner.action_space, spaces.Box):
            raise _refused(name, f"its actions are {inner.action_space}, a Box is needed")
        if not inner.action_space.is_bounded():
            raise _refused(name, f"its actions {inner.action_space} have no bounds to scale to")
        if not isinstance(inner.observation_space, spaces.Box):
            raise _refused(name, f"its observations are {inner.observation_space}, not a Box")
        self._env: gymnasium.Env[Any, Any] = RescaleAction(inner, np.float32(-1), np.float32(1))
        self.max_episode_steps = inner.spec.max_episode_steps if inner.spec else None
        seen = inner.observation_space
        flat = spaces.Box(seen.low.ravel(), seen.high.ravel(), dtype=np.float32)
        self.observation_space = spaces.Dict({"vector": flat})
        self.action_space = spaces.Box(-1.0, 1.0, (int(np.prod(inner.action_space.shape)),))
        self._return = 0.0
        self._length = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._return, self._length = 0.0, 0
        observation, info = self._env.reset(seed=seed)
        return _vector(observation), dict(info)

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        bounded = np.clip(action, -1.0, 1.0).reshape(self._env.action_space.shape)
        observation, reward, terminated, truncated, found = self._env.step(bounded)
        self._return += float(reward)
        self._length += 1
        info = dict(found)
        info["termination"] = "timeout" if truncated else "other" if terminated else None
        if terminated or truncated:
            info["episode"] = {"return": self._return, "length": float(self._length)}
        return _vector(observation), reward, terminated, truncated, info

    def close(self) -> None:
        self._env.close()


def _vector(observation: Any) -> Observation:
    # a copy: environments may hand out one array again and again
    return {"vector": np.array(observation, dtype=np.float32).ravel()}


def _refused(name: str, problem: str) -> InvalidConfig:
    return InvalidConfig({"environment": f"gymnasium:{name} cannot be used: {problem}"})
