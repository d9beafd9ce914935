"""CARLA 0.9.16's wire format: layouts, indices and envelopes. Little-endian, byte-packed."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

VERSION = "0.9.16"
FIRST_STREAM = 1

MESSAGE_LENGTH = struct.Struct("<I")
STREAM_ID = struct.Struct("<I")
# Sensor type, frame, simulated seconds, then x, y, z, pitch, yaw, roll.
HEADER = struct.Struct("<QQd6f")
# Episode, platform time, delta seconds, map origin, flags.
EPISODE = struct.Struct("<Qdf3iI")
MAP_CHANGED = 1
# Id, state, transform, velocity, angular velocity (deg/s), acceleration, then a union by kind of actor.
ACTOR = struct.Struct("<IB15f54s")
ACTIVE = 1
# Throttle, steer, brake, hand brake, reverse, manual, gear, speed limit (km/h), light state, at light, its id, failure.
VEHICLE = struct.Struct("<3f3BifBBIB")
# OpenDRIVE id, seconds of green, yellow, red and elapsed, pole, frozen, state.
TRAFFIC_LIGHT = struct.Struct("<32s4fIBB")
WALKER = struct.Struct("<4fB")
CAMERA = struct.Struct("<IIf")
LIDAR = struct.Struct("<fI")
# Stream, port, protocol (1: TCP), address type (0: the host the client was given), address.
TOKEN = struct.Struct("<IHBB16x")

Wire = Any


class Stream(IntEnum):
    """Index of a message type in the list compiled into the 0.9.16 client."""

    COLLISION = 0
    DEPTH = 1
    GNSS = 4
    IMU = 5
    OBSTACLE = 7
    LIDAR = 11
    RGB = 13
    SEMANTIC = 14
    WORLD = 17


CAMERAS = (Stream.RGB, Stream.DEPTH, Stream.SEMANTIC)


class Attribute(IntEnum):
    """Type of a blueprint's attribute."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    COLOR = 5


class Command(IntEnum):
    """Index of a batch command in the client's variant."""

    SPAWN = 0
    DESTROY = 1
    VEHICLE_CONTROL = 2
    ACKERMANN_CONTROL = 3
    WALKER_CONTROL = 4
    VEHICLE_PHYSICS = 5
    TRANSFORM = 6
    WALKER_STATE = 7
    TARGET_VELOCITY = 8
    TARGET_ANGULAR_VELOCITY = 9
    IMPULSE = 10
    FORCE = 11
    ANGULAR_IMPULSE = 12
    TORQUE = 13
    SIMULATE_PHYSICS = 14
    ENABLE_GRAVITY = 15
    AUTOPILOT = 16
    DEBUG_TELEMETRY = 17
    VEHICLE_LIGHTS = 18
    LOCATION = 19
    CONSOLE = 20
    TRAFFIC_LIGHT_STATE = 21


class LightState(IntEnum):
    """State of a traffic light."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


def ok(value: Wire) -> Wire:
    """A successful `Response<T>`."""
    return [[1, value]]


def failed(message: str) -> Wire:
    """An unsuccessful `Response<T>`: RuntimeError(message) in the client."""
    return [[0, [message]]]


OK_VOID: Wire = [[False]]


def failed_void(message: str) -> Wire:
    """An unsuccessful `Response<void>`."""
    return [[True, [message]]]


def token(stream: int, port: int) -> bytes:
    """Where the client connects to receive a stream."""
    return TOKEN.pack(stream, port, 1, 0)


# What no place, speed or time of a world comes near.
LARGEST = 1e9


def header(kind: Stream, frame: int, seconds: float, pose: Sequence[float]) -> bytes:
    """The 48 bytes every stream message starts with; `pose` as x, y, z, pitch, yaw, roll."""
    return HEADER.pack(kind, frame, seconds, *pose)


def numbers(value: Wire, count: int, what: str = "vector") -> list[float]:
    """`count` floats out of a request, each within 1e9 of 0.

    Raises:
        ValueError: there are not that many, or one is not finite or larger; the caller answers with an
            error, because a NaN or an overflow in the world state would reach every client.
    """
    found = [float(number) for number in value[:count]]
    if len(found) != count or not all(abs(number) <= LARGEST for number in found):
        raise ValueError(f"{what} {value!r} is not {count} finite numbers within {LARGEST:g} of 0")
    return found
