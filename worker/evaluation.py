"""Evaluates a policy over fixed seeds: every episode kept, success with its Wilson interval."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from worker.environment.starts import TRAINING
from worker.finiteness import refuse_action, refuse_transition
from worker.seeding import begin_episode

Policy = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
Record = dict[str, float]
OnEpisode = Callable[[Record], bool]

# 97.5th percentile of the standard normal: intervals are two-sided 95 %.
Z = 1.959963984540054
MEANS = (
    "route_percent",
    "length",
    "collisions",
    "lane_invasions",
    "mean_speed",
    "lateral_error",
    "heading_error",
    "jerk",
    "min_ttc",
)


class Watcher(Protocol):
    """Looks on while an evaluation drives; what it does must not change the driving."""

    def began(self, number: int, seed: int) -> None:
        """The environment was reset for an episode."""

    def decided(self, info: Mapping[str, Any]) -> None:
        """One decision was driven."""

    def ended(self, record: Record) -> None:
        """The episode is over."""


@dataclass(frozen=True)
class Evaluation:
    """Episodes of one policy, in the order of their seeds.

    Each record holds the episode's catalogue values by short name, its `seed` and, on the driving
    task, its simulated `seconds`. `complete` is False when screening or the caller cut it short.
    """

    episodes: tuple[Record, ...]
    complete: bool

    def mean(self, name: str) -> float | None:
        """Mean over the episodes that have the value; None when none has."""
        values = self._values(name)
        return math.fsum(values) / len(values) if values else None

    @property
    def return_mean(self) -> float:
        return self.mean("return") or 0.0

    @property
    def return_std(self) -> float:
        """Population standard deviation of returns."""
        return float(np.std(self._values("return"))) if self.episodes else 0.0

    @property
    def success_rate(self) -> float | None:
        return self.mean("success")

    @property
    def success_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the success rate."""
        successes = self._values("success")
        return wilson(round(sum(successes)), len(successes))

    @property
    def collisions_per_km(self) -> float | None:
        metres = sum(self._values("distance"))
        return 1000.0 * sum(self._values("collisions")) / metres if metres > 0 else None

    @property
    def completion_seconds(self) -> float | None:
        """Mean simulated time of the successful episodes."""
        times = [r["seconds"] for r in self.episodes if r.get("success") and "seconds" in r]
        return math.fsum(times) / len(times) if times else None

    def metrics(self, group: str = "evaluation") -> dict[str, float]:
        """The catalogue's metrics of that group (EVALUATION_GROUPS) that these episodes have."""
        found = {
            "return_mean": self.return_mean,
            "return_std": self.return_std,
            "success_rate": self.success_rate,
            "episodes": float(len(self.episodes)),
            "collisions_per_km": self.collisions_per_km,
            "completion_seconds": self.completion_seconds,
            **{name: self.mean(name) for name in MEANS},
        }
        if self.success_rate is not None:
            found["success_low"], found["success_high"] = self.success_interval
        return {f"{group}/{name}": value for name, value in found.items() if value is not None}

    def _values(self, name: str) -> list[float]:
        return [record[name] for record in self.episodes if name in record]


def evaluate(
    env: gymnasium.Env[Any, Any],
    policy: Policy,
    seeds: Sequence[int],
    screening: int = 0,
    threshold: float = 0.8,
    on_episode: OnEpisode | None = None,
    watcher: Watcher | None = None,
    routes: str = TRAINING,
    attend: Callable[[], None] | None = None,
) -> Evaluation:
    """Drives one episode a seed, without noise, from the start of each of these `routes` in turn.

    After the first `screening` episodes it goes on only if at least `threshold` of them succeeded; 0
    runs all, and so does an environment that has no notion of success. `on_episode` is called between
    episodes with the record; returning False stops. `attend` is called before every decision, and what
    it raises breaks the evaluation off.
    """
    records: list[Record] = []
    for number, seed in enumerate(seeds):
        if screening and len(records) == screening and _failed(records, threshold):
            break
        options = {"evaluation": True, "route": number, "routes": routes}
        records.append(_drive(env, policy, seed, options, watcher, attend))
        if on_episode is not None and not on_episode(records[-1]):
            break
    return Evaluation(tuple(records), complete=len(records) == len(seeds))


def _failed(records: Sequence[Record], threshold: float) -> bool:
    successes = [record["success"] for record in records if "success" in record]
    return bool(successes) and sum(successes) < threshold * len(successes)


def _drive(
    env: gymnasium.Env[Any, Any],
    policy: Policy,
    seed: int,
    options: dict[str, Any],
    watcher: Watcher | None,
    attend: Callable[[], None] | None,
) -> Record:
    if callable(forget := getattr(policy, "reset", None)):
        forget()
    observation = begin_episode(env, seed, options)
    if watcher is not None:
        watcher.began(options["route"], seed)
    number = 0
    while True:
        if attend is not None:
            attend()
        number += 1
        where = f"decision {number} of the evaluated episode with seed {seed}"
        action = policy(observation)
        refuse_action(where, action, observation)
        before = {"action": action, "observation": observation["vector"]}
        observation, reward, terminated, truncated, info = env.step(action)
        refuse_transition(where, observation, float(reward), before)
        if watcher is not None:
            watcher.decided(info)
        if terminated or truncated:
            seconds = {"seconds": info["seconds"]} if "seconds" in info else {}
            record: Record = {**info["episode"], **seconds, "seed": float(seed)}
            if watcher is not None:
                watcher.ended(record)
            return record


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, Z * Z / trials
    centre = share + square / 2
    spread = Z * math.sqrt((share * (1 - share) + square / 4) / trials)
    low, high = (centre - spread) / (1 + square), (centre + spread) / (1 + square)
    return max(0.0, low), min(1.0, high)


def random_policy(space: gymnasium.spaces.Box, seed: int) -> Policy:
    """Uniform over the action space at every decision: the reference every learner must beat."""
    rng = np.random.default_rng(seed)

    def act(observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        return rng.uniform(space.low, space.high).astype(np.float32)

    return act
