"""Gymnasium's own environments in the shape of ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config
from worker.environment import make_environment
from worker.environment.gymnasium_env import GymnasiumEnv


def test_pendulum_passes_gymnasiums_own_checker() -> None:
    check_env(GymnasiumEnv("Pendulum-v1"), skip_render_check=True)


def test_actions_are_rescaled_to_the_unit_box() -> None:
    ours = GymnasiumEnv("Pendulum-v1")
    theirs = ours._env.unwrapped
    ours.reset(seed=1)
    ours.step(np.array([0.5], np.float32))
    assert ours.action_space.high.tolist() == [1.0]
    assert theirs.last_u == pytest.approx(1.0)  # type: ignore[attr-defined]


def test_an_episode_ends_with_its_return_and_length() -> None:
    env = make_environment(
        parse_config("quickstart", {"environment": "gymnasium:Pendulum-v1"}), None
    )
    env.reset(seed=0)
    total = 0.0
    for _ in range(200):
        _, reward, terminated, truncated, info = env.step(np.zeros(1, np.float32))
        total += float(reward)
    assert (terminated, truncated) == (False, True)
    assert info["episode"] == {"return": pytest.approx(total), "length": 200.0}
    assert info["termination"] == "timeout"
    env.close()


def test_the_same_seed_and_actions_give_the_same_episode() -> None:
    def drive() -> bytes:
        env = GymnasiumEnv("Pendulum-v1")
        rng = np.random.default_rng(3)
        seen = [env.reset(seed=11)[0]["vector"]]
        seen += [env.step(rng.uniform(-1, 1, 1).astype(np.float32))[0]["vector"] for _ in range(50)]
        return np.stack(seen).tobytes()

    assert drive() == drive()


@pytest.mark.parametrize(
    ("name", "remedy"), [("NoSuchEnv-v0", "NoSuchEnv"), ("CartPole-v1", "Box is needed")]
)
def test_an_unusable_environment_is_refused_with_the_reason(name: str, remedy: str) -> None:
    with pytest.raises(InvalidConfig, match=remedy):
        GymnasiumEnv(name)


def test_carla_without_a_simulator_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="needs a simulator"):
        make_environment(parse_config("quickstart"), None)


OWN = """
import gymnasium
from gymnasium.envs.classic_control import PendulumEnv


class Broken(PendulumEnv):
    def __init__(self, render_mode=None):
        raise ValueError("no gravity")


gymnasium.register("Own-v0", entry_point=PendulumEnv, max_episode_steps=5)
gymnasium.register("OwnBroken-v0", entry_point=Broken)
"""


def test_an_environment_of_ones_own_is_named_with_the_module_that_registers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_tasks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    config = parse_config("quickstart", {"environment": "gymnasium:own_tasks:Own-v0"})
    env = GymnasiumEnv(config.environment.removeprefix("gymnasium:"))
    assert env.max_episode_steps == 5
    with pytest.raises(InvalidConfig, match="ValueError: no gravity"):
        GymnasiumEnv("own_tasks:OwnBroken-v0")
    with pytest.raises(InvalidConfig, match="No module named 'nowhere'"):
        GymnasiumEnv("nowhere:Own-v0")


class Reused(gymnasium.Env[Any, Any]):
    """Hands out its own state, which it goes on changing; `bound` limits its action."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, bound: float = 1.0) -> None:
        self.action_space = gymnasium.spaces.Box(-bound, bound, (1,), np.float32)
        self.state = np.ones(2, np.float32)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.state[:] = 1
        return self.state, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.state *= 0.5
        return self.state, 0.0, False, False, {}


@pytest.fixture
def reused() -> Iterator[None]:
    gymnasium.register("Reused-v0", entry_point=Reused)
    gymnasium.register("Unbounded-v0", entry_point=Reused, kwargs={"bound": np.inf})
    yield
    del gymnasium.registry["Reused-v0"], gymnasium.registry["Unbounded-v0"]


@pytest.mark.usefixtures("reused")
def test_an_array_the_environment_uses_again_is_copied() -> None:
    env = GymnasiumEnv("Reused-v0")
    first, _ = env.reset()
    second = env.step(np.zeros(1, np.float32))[0]
    env.step(np.zeros(1, np.float32))
    assert first["vector"].tolist() == [1.0, 1.0]
    assert second["vector"].tolist() == [0.5, 0.5]


@pytest.mark.usefixtures("reused")
def test_actions_without_bounds_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="no bounds"):
        GymnasiumEnv("Unbounded-v0")
