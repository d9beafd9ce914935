"""The hand-written driver policies are measured against: pure pursuit steers, a PID keeps the speed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.environment.carla_env import DrivingEnv
from worker.environment.connection import TICK_SECONDS
from worker.environment.observation import VECTOR_SCALE, WAYPOINTS
from worker.environment.reward import WAYPOINT_SPACING


@dataclass(frozen=True)
class Steering:
    """How steer in [-1, 1] becomes an angle of the front wheels.

    `curve` lists (speed in m/s, share of `max_angle` available), as CARLA's steering curve.
    """

    wheelbase: float = 2.875
    max_angle: float = math.radians(40.0)
    curve: tuple[tuple[float, float], ...] = ((5.0, 1.0), (18.0, 0.35))

    @classmethod
    def of(cls, physics: Any) -> Self:
        """From `carla.VehiclePhysicsControl`, whose curve counts in km/h and angle in degrees."""
        curve = tuple((point.x / 3.6, point.y) for point in physics.steering_curve)
        return cls(max_angle=math.radians(physics.wheels[0].max_steer_angle), curve=curve)

    def steer(self, curvature: float, speed: float) -> float:
        speeds, shares = zip(*self.curve, strict=True)
        available = self.max_angle * float(np.interp(speed, speeds, shares))
        return max(-1.0, min(1.0, math.atan(curvature * self.wheelbase) / available))


class PidPursuit:
    """Follows the route in the 53-vector; a policy like any other: `driver(observation) -> action`.

    Coulter 1992 for the pursuit; the look-ahead grows with speed. Speed falls to `turn_speed` where the
    route bends within the next metres, and so that it can stop behind the vehicle ahead. Traffic lights
    mean nothing to it.

    Args:
        target_speed: m/s on straights.
        decision_seconds: time between decisions, for the integral and the derivative.
        gap: metres to the vehicle ahead, whether or not the run's policy is told: the 53-vector holds no traffic.
        scale: what the observation's vector was multiplied with; that of `make_environment` by default.
    """

    proportional, integral, derivative = 0.6, 0.05, 0.05
    bend = 0.25
    standing_gap, braking = 4.0, 3.0

    def __init__(
        self,
        target_speed: float = 8.0,
        turn_speed: float = 5.0,
        decision_seconds: float = 0.1,
        steering: Steering | None = None,
        gap: Callable[[], float] | None = None,
        scale: NDArray[np.float32] = VECTOR_SCALE,
    ) -> None:
        self._target_speed = target_speed
        self._turn_speed = min(turn_speed, target_speed)
        self._seconds = decision_seconds
        self._steering = steering or Steering()
        self._gap = gap
        self._scale = scale
        self.reset()

    @classmethod
    def of(cls, env: DrivingEnv, target_speed: float = 8.0) -> Self:
        """The driver of that environment's car, in its traffic."""
        return cls(
            target_speed,
            decision_seconds=env.config.ticks_per_decision * TICK_SECONDS,
            steering=Steering.of(env.ego.actor.get_physics_control()),
            gap=lambda: env.ahead.gap,
        )

    def reset(self) -> None:
        """Forgets the speed controller's past, at the start of an episode."""
        self._sum = 0.0
        self._previous: float | None = None

    def __call__(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        numbers = observation["vector"] / self._scale
        speed = float(numbers[0]) * 30.0
        waypoints = numbers[3:].reshape(WAYPOINTS, 2) * 50.0
        steer = self._steering.steer(self._curvature(numbers, waypoints, speed), speed)
        pedal = self._pedal(self._wanted(waypoints, speed) - speed)
        return np.array([steer, pedal], dtype=np.float32)

    def _curvature(self, numbers: NDArray[Any], waypoints: NDArray[Any], speed: float) -> float:
        """Of the circle through the vehicle and the route point a look-ahead away."""
        ahead = max(5.0, min(12.0, 0.8 * speed))
        forward, right = waypoints[int(ahead / WAYPOINT_SPACING)]
        if forward == 0.0 and right == 0.0:
            # Past the route's end: aim at its straight continuation.
            forward = 6.0
            right = -numbers[1] * 3.5 - 6.0 * math.sin(numbers[2] * math.pi)
        return float(2.0 * right / max(1.0, forward * forward + right * right))

    def _wanted(self, waypoints: NDArray[Any], speed: float) -> float:
        """Slow where the route bends within the distance comfortable braking takes, and behind others."""
        far = int(min(WAYPOINTS - 1, 8 + speed / WAYPOINT_SPACING))
        bends = any(
            abs(math.atan2(right, max(1e-3, forward))) > self.bend
            for forward, right in (waypoints[8], waypoints[far])
        )
        wanted = self._turn_speed if bends else self._target_speed
        if self._gap is None:
            return wanted
        room = max(0.0, self._gap() - self.standing_gap)
        return min(wanted, math.sqrt(2.0 * self.braking * room))

    def _pedal(self, error: float) -> float:
        change = 0.0 if self._previous is None else (error - self._previous) / self._seconds
        self._previous = error
        self._sum = max(-4.0, min(4.0, self._sum + error * self._seconds))
        pedal = self.proportional * error + self.integral * self._sum + self.derivative * change
        return max(-1.0, min(1.0, pedal))
