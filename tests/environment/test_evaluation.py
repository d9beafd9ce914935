"""Evaluating policies, on an environment small enough to know the answers."""

import statistics
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.catalog import CATALOG, EVALUATION_GROUPS
from worker.evaluation import Evaluation, evaluate, random_policy, wilson


class Corridor(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Four decisions of reward = action; success when the seed is in `good`."""

    observation_space = spaces.Dict({"vector": spaces.Box(-1, 1, (1,))})
    action_space = spaces.Box(-1, 1, (2,))

    def __init__(self, good: set[int]) -> None:
        self.good = good
        self.options: list[dict[str, Any] | None] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.seed, self.left, self.total = seed, 4, 0.0
        self.options.append(options)
        return {"vector": np.zeros(1, np.float32)}, {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.left -= 1
        self.total += float(action[0])
        info: dict[str, Any] = {"seconds": 0.4}
        if self.left == 0:
            info["episode"] = {
                "return": self.total,
                "length": 4.0,
                "success": float(self.seed in self.good),
                "distance": 500.0,
                "collisions": float(self.seed not in self.good),
            }
        return {"vector": np.zeros(1, np.float32)}, float(action[0]), self.left == 0, False, info


def half(observation: Any) -> np.ndarray:
    return np.array([0.5, 0.0], np.float32)


def test_every_seed_is_one_episode_in_order() -> None:
    env = Corridor({3, 5})
    result = evaluate(env, half, [3, 4, 5, 6])
    assert [record["seed"] for record in result.episodes] == [3, 4, 5, 6]
    assert result.complete
    assert result.success_rate == 0.5
    assert result.return_mean == 2.0
    assert env.options == [
        {"evaluation": True, "route": number, "routes": "training"} for number in range(4)
    ]


def test_screening_stops_a_policy_that_fails_early() -> None:
    result = evaluate(Corridor({0, 1, 2}), half, range(20), screening=5)
    assert len(result.episodes) == 5
    assert not result.complete


def test_screening_lets_a_good_policy_go_on() -> None:
    result = evaluate(Corridor({0, 1, 2, 3, 7}), half, range(20), screening=5)
    assert len(result.episodes) == 20
    assert result.complete


def test_the_caller_stops_an_evaluation_between_episodes() -> None:
    seen = []

    def watch(record: dict[str, float]) -> bool:
        seen.append(record["seed"])
        return len(seen) < 3

    result = evaluate(Corridor(set()), half, range(10), on_episode=watch)
    assert seen == [0, 1, 2]
    assert not result.complete


def test_metrics_carry_the_catalogues_names_and_only_what_was_measured() -> None:
    found = evaluate(Corridor({0}), half, [0, 1]).metrics()
    assert found == {
        "evaluation/return_mean": 2.0,
        "evaluation/return_std": 0.0,
        "evaluation/success_rate": 0.5,
        "evaluation/episodes": 2.0,
        "evaluation/length": 4.0,
        "evaluation/collisions": 0.5,
        "evaluation/collisions_per_km": 1.0,
        "evaluation/completion_seconds": pytest.approx(0.4),
        "evaluation/success_low": pytest.approx(0.0945, abs=1e-4),
        "evaluation/success_high": pytest.approx(0.9055, abs=1e-4),
    }


def test_every_group_of_evaluations_is_in_the_catalogue() -> None:
    records = evaluate(Corridor({0}), half, [0, 1])
    for group in EVALUATION_GROUPS:
        found = records.metrics(group)
        assert found.keys() <= CATALOG.keys()
        assert {name.split("/")[0] for name in found} == {group}


def test_collisions_per_kilometre_and_completion_time() -> None:
    result = evaluate(Corridor({0}), half, [0, 1])
    assert result.collisions_per_km == 1.0
    assert result.completion_seconds == pytest.approx(0.4)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_return_std_is_the_populations(returns: list[float]) -> None:
    result = Evaluation(tuple({"return": value} for value in returns), complete=True)
    assert result.return_std == pytest.approx(statistics.pstdev(returns), abs=1e-6)


def test_an_environment_without_success_is_never_screened_out() -> None:
    class Plain(Corridor):
        def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            *rest, info = super().step(action)
            info.get("episode", {}).pop("success", None)
            return (*rest, info)

    result = evaluate(Plain(set()), half, range(6), screening=2)
    assert result.complete
    assert result.success_rate is None
    assert "evaluation/success_rate" not in result.metrics()


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_stays_a_probability(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1.0


def test_wilson_interval_of_twenty_of_twenty() -> None:
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_random_policy_is_uniform_and_repeats_with_its_seed() -> None:
    space = spaces.Box(-1, 1, (2,))
    one, other = random_policy(space, 7), random_policy(space, 7)
    actions = np.array([one({}) for _ in range(500)])
    assert np.array_equal(actions[0], other({}))
    assert np.abs(actions.mean(axis=0)).max() < 0.1
    assert space.contains(actions[0])
