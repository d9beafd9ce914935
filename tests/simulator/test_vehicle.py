"""The bicycle model: its limits, and that it stays within them whatever it is asked."""

import math

from hypothesis import given
from hypothesis import strategies as st

from worker.simulator.vehicle import (
    GRIP,
    LOCK,
    MAX_REVERSE_SPEED,
    MAX_SPEED,
    WHEELBASE,
    Control,
    Motion,
    step,
)

DT = 0.05
STANDING = Motion(0.0, 0.0, 0.0)
unit = st.floats(0.0, 1.0)
controls = st.builds(Control, unit, st.floats(-1.0, 1.0), unit, st.booleans(), st.booleans())


def drive(control: Control, seconds: float, motion: Motion = STANDING) -> Motion:
    for _ in range(round(seconds / DT)):
        motion = step(motion, control, DT)
    return motion


def test_full_throttle_gains_four_metres_a_second_each_second_at_first() -> None:
    first = step(Motion(0.0, 0.0, 0.0), Control(throttle=1.0), DT)
    assert first.speed == 4.0 * DT
    second = step(first, Control(throttle=1.0), DT)
    assert math.isclose(second.speed - first.speed, (4.0 - 0.15 - 0.0005 * first.speed**2) * DT)


def test_power_limits_acceleration_at_speed_and_the_top_speed_holds() -> None:
    fast = step(Motion(0.0, 0.0, 0.0, speed=20.0), Control(throttle=1.0), DT)
    engine = 120_000.0 / (1850.0 * 20.0)
    assert math.isclose(fast.speed - 20.0, (engine - 0.15 - 0.0005 * 400.0) * DT)
    assert drive(Control(throttle=1.0), 60.0).speed == MAX_SPEED


def test_brakes_stop_a_car_and_never_drive_it_backwards() -> None:
    rolling = Motion(0.0, 0.0, 0.0, speed=8.0)
    assert drive(Control(brake=1.0), 2.0, rolling).speed == 0.0
    assert drive(Control(hand_brake=True), 2.0, rolling).speed == 0.0


def test_reverse_gear_drives_backwards_up_to_its_limit() -> None:
    back = drive(Control(throttle=1.0, reverse=True), 10.0)
    assert back.speed == -MAX_REVERSE_SPEED
    assert back.x < 0.0


def test_a_slow_car_drives_the_circle_of_its_wheel_angle() -> None:
    slow = drive(Control(steer=1.0), 0.5, Motion(0.0, 0.0, 0.0, speed=2.0))
    turned = step(slow, Control(steer=1.0), DT)
    radius = turned.speed / turned.yaw_rate
    assert math.isclose(radius, WHEELBASE / math.tan(LOCK), rel_tol=1e-9)


def test_the_wheels_turn_no_faster_than_they_can() -> None:
    turned = step(Motion(0.0, 0.0, 0.0, speed=1.0), Control(steer=1.0), DT)
    assert math.isclose(turned.wheel, math.radians(120.0) * DT)


def test_a_fast_car_understeers_instead_of_exceeding_its_grip() -> None:
    fast = drive(Control(throttle=1.0, steer=1.0), 2.0, Motion(0.0, 0.0, 0.0, speed=25.0))
    assert abs(fast.speed * fast.yaw_rate) <= GRIP * (1.0 + 1e-9)


@given(st.lists(controls, min_size=1, max_size=60), st.floats(0.001, 0.05))
def test_no_control_breaks_a_limit(given_controls: list[Control], seconds: float) -> None:
    motion = Motion(0.0, 0.0, 0.0)
    for control in given_controls:
        motion = step(motion, control, seconds)
        assert all(map(math.isfinite, motion))
        assert -MAX_REVERSE_SPEED <= motion.speed <= MAX_SPEED
        assert abs(motion.wheel) <= LOCK + 1e-9
        assert abs(motion.speed * motion.yaw_rate) <= GRIP * (1.0 + 1e-9)
