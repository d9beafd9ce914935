"""The motion of a car: a kinematic bicycle with limits of engine, brakes, wheels and tyres. Pure, SI units."""

import math
from typing import NamedTuple

WHEELBASE = 2.875
MASS = 1850.0
# The front wheels' full lock: of the car that is trained, and of all others, as most of CARLA's have it
# (the client's Traffic Manager is tuned to it and would overshoot its turns with less).
LOCK, WIDE_LOCK = math.radians(40.0), math.radians(70.0)
WHEEL_RATE = math.radians(120.0)
# Above FULL_LOCK_SPEED the steering's lock shrinks by LOCK_LOSS per m/s, down to LEAST_LOCK (CARLA's steering curve).
FULL_LOCK_SPEED = 5.0
LOCK_LOSS = 0.05
LEAST_LOCK = 0.35
MAX_ACCELERATION = 4.0
POWER = 120_000.0
BRAKING = 8.0
HAND_BRAKING = 8.0
ROLLING = 0.15
DRAG = 0.0005
MAX_SPEED = 30.0
MAX_REVERSE_SPEED = 8.0
GRIP = 0.8 * 9.81


class Motion(NamedTuple):
    """Metres, radians and m/s; `speed` is negative backwards, `wheel` the front wheels' angle to the right."""

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    wheel: float = 0.0
    yaw_rate: float = 0.0


class Control(NamedTuple):
    """CARLA's VehicleControl: throttle and brake in [0, 1], steer in [-1, 1]."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear: bool = False
    gear: int = 0


def step(motion: Motion, control: Control, seconds: float, lock: float = LOCK) -> Motion:
    """Where the car is `seconds` later. The reference point moves as the rear axle does."""
    wheel = _wheel(motion, control, seconds, lock)
    speed = _speed(motion.speed, control, seconds)
    curvature = math.tan(wheel) / WHEELBASE
    if speed * speed * abs(curvature) > GRIP:
        # The tyres slide: the car turns no tighter than they hold.
        curvature = math.copysign(GRIP / (speed * speed), curvature)
    yaw_rate = speed * curvature
    middle = motion.yaw + 0.5 * yaw_rate * seconds
    return Motion(
        motion.x + speed * math.cos(middle) * seconds,
        motion.y + speed * math.sin(middle) * seconds,
        motion.yaw + yaw_rate * seconds,
        speed,
        wheel,
        yaw_rate,
    )


def _wheel(motion: Motion, control: Control, seconds: float, lock: float) -> float:
    faster = abs(motion.speed) - FULL_LOCK_SPEED
    lock *= min(1.0, max(LEAST_LOCK, 1.0 - faster * LOCK_LOSS))
    turn = WHEEL_RATE * seconds
    return motion.wheel + max(-turn, min(turn, control.steer * lock - motion.wheel))


def _speed(speed: float, control: Control, seconds: float) -> float:
    """Signed speed after engine, brakes and resistance; brakes and resistance stop but never turn it round."""
    ahead = -1.0 if control.reverse else 1.0
    engine = control.throttle * min(MAX_ACCELERATION, POWER / (MASS * max(abs(speed), 1.0)))
    direction = math.copysign(1.0, speed) if speed else ahead
    resistance = control.brake * BRAKING + (HAND_BRAKING if control.hand_brake else 0.0)
    if speed:
        resistance += ROLLING + DRAG * speed * speed
    pushed = direction * speed + direction * ahead * engine * seconds - resistance * seconds
    if pushed < 0.0 and engine * direction * ahead >= 0.0:
        pushed = 0.0
    return max(-MAX_REVERSE_SPEED, min(MAX_SPEED, direction * pushed))
