"""Metric: what a metric is called, measured in, means, and which way it should go."""

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way a metric should go, if either."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True)
class Metric:
    """One metric. `aliases` are TensorBoard tags that mean the same; `per_episode` points are one an episode."""

    name: str
    title: str
    unit: str
    meaning: str
    better: Better = Better.NEITHER
    aliases: tuple[str, ...] = ()
    per_episode: bool = False

    @property
    def group(self) -> str:
        return self.name.split("/", 1)[0]


UP, DOWN = Better.HIGHER, Better.LOWER
