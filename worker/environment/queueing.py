"""What a reward makes of a queue at a red light: to wait in it, or to drive into it. Pure."""

import math
from typing import NamedTuple

from backend.runs.config import RunConfig
from worker.environment.connection import TICK_SECONDS
from worker.environment.reward import (
    STOPPED_GAP,
    WAYPOINT_SPACING,
    Reward,
    Tick,
    following_speed,
    stood,
)

WAIT_SECONDS = 30.0
# Below 2 m/s a collision costs least: what policies learnt that were paid for it.
BUMP_SPEED = 1.9


class Queue(NamedTuple):
    """Returns from 6 m behind a vehicle that stands: of half a minute at rest, and of rolling into it."""

    waited: float
    bumped: float
    follows: bool

    @property
    def sound(self) -> bool:
        return self.waited > self.bumped

    @property
    def remedy(self) -> str:
        """What makes the reward prefer to wait."""
        more = "Give reward_efficiency more weight" if self.follows else "Turn reward_following on"
        return f"{more}, or train without traffic"

    def __str__(self) -> str:
        figures = f"half a minute in a queue {self.waited:,.0f}, driving into it {self.bumped:,.0f}"
        return figures if self.sound else f"{figures}: such a reward teaches collisions"


def queue(config: RunConfig) -> Queue | None:
    """None for a run that meets no other vehicles."""
    if not (config.is_carla and config.traffic):
        return None
    reward = Reward.of(config)
    follows = config.reward_following
    return Queue(_wait(reward, follows), _bump(reward, follows), follows)


def _wait(reward: Reward, follows: bool) -> float:
    standing, total = 0, 0.0
    for _ in range(round(WAIT_SECONDS / TICK_SECONDS)):
        standing = stood(standing, 0.0, waiting=follows)
        total += math.fsum(reward(_behind(STOPPED_GAP, follows)._replace(standing=standing)))
    return total


def _bump(reward: Reward, follows: bool) -> float:
    gap, total = STOPPED_GAP, 0.0
    step = BUMP_SPEED * TICK_SECONDS
    while gap > step:
        gap -= step
        rolling = _behind(gap, follows)._replace(
            speed=BUMP_SPEED,
            time_to_collision=gap / BUMP_SPEED,
            gained=step,
            waypoints=math.floor((gap + step) / WAYPOINT_SPACING)
            - math.floor(gap / WAYPOINT_SPACING),
        )
        total += math.fsum(reward(rolling))
    return total + math.fsum(reward(_behind(0.0, follows)._replace(impact=BUMP_SPEED)))


def _behind(gap: float, follows: bool) -> Tick:
    """In the middle of the lane, at rest."""
    allowed = following_speed(gap, 0.0) if follows else math.inf
    return Tick(speed=0.0, lateral=0.0, heading_error=0.0, gap=gap, allowed=allowed)
