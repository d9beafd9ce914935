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
    """Hands out its own state, which it goes on changing; `bound` and `kind` are of its action."""

    observation_space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, bound: float = 1.0, kind: type[np.generic] = np.float32) -> None:
        self.action_space = gymnasium.spaces.Box(-bound, bound, (1,), kind)  # type: ignore[arg-type]
        self.state = np.ones(2, np.float32)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.state[:] = 1
        return self.seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.state *= 0.5
        return self.seen(), 0.0, False, False, {"components": [1, 2], "speed": "fast"}

    def seen(self) -> Any:
        return self.state


class Parts(Reused):
    """What it observes has parts: numbers, and one of three states."""

    observation_space = gymnasium.spaces.Dict(
        {
            "at": gymnasium.spaces.Box(-1e300, 1e300, (2,), np.float64),
            "gear": gymnasium.spaces.Discrete(3),
        }
    )

    def seen(self) -> Any:
        return {"at": self.state.astype(np.float64), "gear": 1}


class Growing(Reused):
    """What it observes has no one length."""

    observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))


@pytest.fixture(autouse=True)
def own_environments() -> Iterator[None]:
    made: dict[str, tuple[Any, dict[str, Any]]] = {
        "Reused-v0": (Reused, {}),
        "Unbounded-v0": (Reused, {"bound": np.inf}),
        "Whole-v0": (Reused, {"kind": np.int64}),
        "Parts-v0": (Parts, {}),
        "Growing-v0": (Growing, {}),
        "Strict-v0": (Strict, {}),
        "Blind-v0": (Blind, {}),
    }
    for name, (entry_point, options) in made.items():
        gymnasium.register(name, entry_point=entry_point, kwargs=options)
    yield
    for name in made:
        del gymnasium.registry[name]


class Strict(Reused):
    """Takes nothing that is not in its own box, one side of which has no length."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = gymnasium.spaces.Box(
            np.array([2.1, 1.0], np.float32), np.array([4.6, 1.0], np.float32)
        )

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        return super().step(action)


class Blind(Reused):
    """There is nothing to see."""

    observation_space = gymnasium.spaces.Box(-1, 1, (0,), np.float32)


def test_an_array_the_environment_uses_again_is_copied() -> None:
    env = GymnasiumEnv("Reused-v0")
    first, _ = env.reset()
    second = env.step(np.zeros(1, np.float32))[0]
    env.step(np.zeros(1, np.float32))
    assert first["vector"].tolist() == [1.0, 1.0]
    assert second["vector"].tolist() == [0.5, 0.5]


def test_observations_of_parts_become_one_vector() -> None:
    env = GymnasiumEnv("Parts-v0")
    assert env.reset()[0]["vector"].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert env.observation_space["vector"].shape == (5,)


def test_an_episode_that_never_ends_is_truncated_and_words_of_its_own_are_not_ours() -> None:
    env = GymnasiumEnv("Reused-v0")
    env.reset()
    for _ in range(env.max_episode_steps - 1):
        *_, info = env.step(np.zeros(1, np.float32))
        assert info == {"termination": None}
    *_, terminated, truncated, info = env.step(np.zeros(1, np.float32))
    assert (terminated, truncated, info["termination"]) == (False, True, "timeout")


@pytest.mark.parametrize("action", [-1.0, -0.3, 0.0, 1.0, 5.0])
def test_an_action_is_in_the_environments_own_box_to_the_last_bit(action: float) -> None:
    env = GymnasiumEnv("Strict-v0")
    env.reset()
    env.step(np.full(2, action, np.float32))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("NoSuchEnv-v0", "NoSuchEnv"),
        ("CartPole-v1", "Box is needed"),
        ("Unbounded-v0", "no bounds"),
        ("Blind-v0", "nothing to see"),
        ("Whole-v0", "are whole numbers, not floats"),
        ("Growing-v0", "no one length to flatten to"),
    ],
)
def test_an_unusable_environment_is_refused_with_the_reason(name: str, remedy: str) -> None:
    with pytest.raises(InvalidConfig, match=remedy):
        GymnasiumEnv(name)
