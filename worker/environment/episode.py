"""What happened in one episode: sums kept tick by tick, summed up under the catalogue's names."""

import math
from collections.abc import Mapping

from backend.metrics.catalog import TERMINATIONS
from worker.environment.connection import TICK_SECONDS
from worker.environment.reward import COMPONENTS, Components, Tick

STANDSTILL = 0.1


class Episode:
    """Accumulates ticks and rewards of one episode.

    Attributes:
        termination: None while it lasts, then one of the catalogue's reasons.
        rewards: weighted sums of the five components so far.
    """

    def __init__(self, start: float) -> None:
        self.start = start
        self.termination: str | None = None
        self.ticks = self.decisions = self.collisions = self.lane_invasions = 0
        self.rewards = [0.0] * len(COMPONENTS)
        self.total = 0.0
        self._speed = self._lateral = self._heading = self._jerk = 0.0
        self._still = self._standstill = self._longest = 0
        self._nearest = math.inf

    def add_tick(self, tick: Tick) -> None:
        self.ticks += 1
        self._speed += tick.speed
        self._lateral += abs(tick.lateral)
        self._heading += abs(tick.heading_error)
        self._jerk += abs(tick.jerk)
        self._nearest = min(self._nearest, tick.time_to_collision)
        self.lane_invasions += tick.crossed
        self.collisions += tick.impact is not None
        self._standstill = self._standstill + 1 if tick.speed < STANDSTILL else 0
        self._still += self._standstill > 0
        self._longest = max(self._longest, self._standstill)

    def add_decision(self, rewards: Components, total: float) -> None:
        self.decisions += 1
        self.total += total
        for i, reward in enumerate(rewards):
            self.rewards[i] += reward

    @property
    def seconds(self) -> float:
        """Simulated seconds."""
        return self.ticks * TICK_SECONDS

    def summary(self, route_percent: float) -> dict[str, float]:
        """The catalogue's `episode/` metrics by their short names, all finite."""
        ticks = max(1, self.ticks)
        reason = self.termination or "other"
        found = {
            "return": self.total,
            "length": float(self.decisions),
            "success": float(reason == "goal"),
            "route_percent": route_percent,
            "distance": self._speed * TICK_SECONDS,
            "collisions": float(self.collisions),
            "lane_invasions": float(self.lane_invasions),
            "mean_speed": self._speed / ticks,
            "lateral_error": self._lateral / ticks,
            "heading_error": self._heading / ticks,
            "jerk": self._jerk / ticks,
            "zero_speed_share": self._still / ticks,
            "zero_speed_ticks": float(self._longest),
            "termination": float(TERMINATIONS.index(reason)),
            "checksum_error": abs(sum(self.rewards) - self.total),
            **dict(zip(COMPONENTS, self.rewards, strict=True)),
            **_shares(dict(zip(COMPONENTS, self.rewards, strict=True))),
        }
        if math.isfinite(self._nearest):
            found["min_ttc"] = self._nearest
        return found


def _shares(rewards: Mapping[str, float]) -> dict[str, float]:
    whole = sum(abs(reward) for reward in rewards.values()) or 1.0
    return {f"{name}_percent": 100.0 * abs(reward) / whole for name, reward in rewards.items()}
