"""The reward of one simulator tick: five components, each a pure function of numbers in SI units."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

from backend.runs.config import RunConfig

COMPONENTS = ("efficiency", "lane_keeping", "comfort", "safety", "progress")

MOVING = 0.5
JERK_LIMIT = 5.0
HEADING_LIMIT = math.pi / 4
SAFE_GAP = 10.0
SAFE_TIME = 3.0
# Behind a vehicle: where to stop, how hard both brake, and how near standing is waiting.
STOPPED_GAP = 6.0
BRAKING = 3.0
WAITING_GAP = 15.0
FOLLOWING_SLOPE = 0.5
STANDING_TICKS = 200
WAYPOINT_SPACING = 2.0


class Tick(NamedTuple):
    """What one tick did to the vehicle.

    `gained` is new ground on the route in metres, `waypoints` how many 2 m marks it passed; ground
    covered before counts for neither. `standing` is what `stood` counts. `gap` and
    `time_to_collision` look at the vehicle ahead, infinite without one; `allowed` is the speed it leaves.
    `impact` is the speed at which a collision began.
    """

    speed: float
    lateral: float
    heading_error: float
    half_width: float = 1.75
    jerk: float = 0.0
    crossed: bool = False
    standing: int = 0
    gained: float = 0.0
    waypoints: int = 0
    gap: float = math.inf
    time_to_collision: float = math.inf
    allowed: float = math.inf
    impact: float | None = None
    off_route: bool = False
    goal: bool = False


class Components(NamedTuple):
    """Weighted rewards; the total is their sum in this order."""

    efficiency: float
    lane_keeping: float
    comfort: float
    safety: float
    progress: float


@dataclass(frozen=True)
class Reward:
    """Weights and shapes of a run's reward, from the `reward_*` fields of its configuration."""

    weights: Components
    target_speed: float
    overspeed_slope: float
    standing: float
    off_road: float
    goal: float

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        return cls(
            Components(*(getattr(config, f"reward_{name}") for name in COMPONENTS)),
            config.reward_target_speed,
            config.reward_overspeed_slope,
            config.reward_standing,
            config.reward_off_road,
            config.reward_goal,
        )

    def __call__(self, tick: Tick) -> Components:
        weights = self.weights
        return Components(
            weights.efficiency
            * efficiency(
                tick.speed,
                tick.heading_error,
                self.target_speed,
                self.overspeed_slope,
                tick.allowed,
            ),
            weights.lane_keeping * lane_keeping(tick),
            weights.comfort * comfort(tick.speed, tick.jerk),
            weights.safety * safety(tick, self.standing, self.off_road),
            weights.progress * progress(tick, self.goal),
        )


def stood(before: int, speed: float, waiting: bool) -> int:
    """Ticks below 0.5 m/s in a row; waiting behind a vehicle is none.

    Were it paid for like standing, half a minute behind a queue at a red light would cost more than driving into it.
    """
    return before + 1 if speed < MOVING and not waiting else 0


def following_speed(gap: float, lead_speed: float) -> float:
    """Speed from which braking as hard as the vehicle ahead, `gap` metres away, still stops short of it, m/s."""
    room = max(0.0, gap - STOPPED_GAP)
    return math.sqrt(max(0.0, lead_speed) ** 2 + 2.0 * BRAKING * room)


def efficiency(
    speed: float,
    heading_error: float,
    target: float,
    overspeed_slope: float,
    allowed: float = math.inf,
) -> float:
    """Speed along the route by the target speed, in [-1, 1]; where less is `allowed`, 1 at that.

    Above the target it falls with `overspeed_slope`: with a plain clip (slope 0) progress, paid per metre, makes
    faster always better, and a policy learns full throttle into the turn. Above `allowed` it falls by 0.5 for a m/s.
    Without that, a vehicle that stands ahead is worth driving into slowly: nothing else pays before it has gone.
    """
    along = speed * math.cos(heading_error)
    best = min(target, allowed)
    if along <= best:
        return max(-1.0, along / target + (1.0 - best / target))
    faster = overspeed_slope * max(0.0, along / target - 1.0)
    too_close = FOLLOWING_SLOPE * max(0.0, along - allowed)
    return max(-1.0, 1.0 - max(faster, too_close))


def lane_keeping(tick: Tick) -> float:
    """Up to 0.5 in the middle, pointing along it and moving; -1 on the tick a marking is crossed."""
    if tick.crossed:
        return -1.0
    centred = max(0.0, 1.0 - abs(tick.lateral) / tick.half_width)
    aligned = max(0.0, 1.0 - abs(tick.heading_error) / HEADING_LIMIT)
    return 0.5 * centred * aligned * min(1.0, tick.speed / 3.0)


def comfort(speed: float, jerk: float) -> float:
    """In [-0.3, 0.3], 0 at a jerk of 5 m/s^3 and when standing."""
    if speed < MOVING:
        return 0.0
    return 0.3 * max(-1.0, 1.0 - abs(jerk) / JERK_LIMIT)


def safety(tick: Tick, standing: float, off_road: float) -> float:
    """Zero for a safe tick; penalties for closeness, collision, wrong way, standing and leaving the route."""
    penalty = 0.0
    if tick.gap < SAFE_GAP:
        penalty += 0.5 * (1.0 - tick.gap / SAFE_GAP)
    if tick.time_to_collision < SAFE_TIME:
        penalty += 1.0 - tick.time_to_collision / SAFE_TIME
    if tick.impact is not None:
        penalty += collision(tick.impact)
    if abs(tick.heading_error) > math.pi / 2:
        penalty += min(5.0, 1.0 + tick.speed)
    if tick.standing:
        penalty += standing * (0.1 + 0.9 * min(1.0, tick.standing / STANDING_TICKS))
    if tick.off_route:
        penalty += off_road
    return -penalty


def collision(impact: float) -> float:
    """Penalty by the speed of the impact in m/s."""
    if impact < 2.0:
        return 5.0
    return 25.0 if impact < 5.0 else 100.0


def progress(tick: Tick, goal: float) -> float:
    """0.5 a metre of new route, 1 a new waypoint, `goal` for the goal, in [-10, 10 + goal]."""
    reward = 0.5 * tick.gained + tick.waypoints + (goal if tick.goal else 0.0)
    return max(-10.0, min(10.0 + goal, reward))
