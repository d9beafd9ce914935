"""What the agent observes: the 53-vector, the vehicle ahead, gray frames, speed and route command; scaled."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from worker.environment.ahead import LOOK_AHEAD, Ahead
from worker.environment.route import SPACING, Tracker

Observation = dict[str, Any]
Action = NDArray[np.float32]

VECTOR_SIZE = 53
WAYPOINTS = 25
WAYPOINT_STRIDE = int(2.0 / SPACING)
FRAME_SIZE = 84
# Wider than any value a vehicle within 50 m of its route can have.
VECTOR_LIMIT = 20.0

# Brings the numbers a policy steers by to about one; a network learns from them in fewer steps.
VECTOR_SCALE: NDArray[np.float32] = np.ones(VECTOR_SIZE, dtype=np.float32)
VECTOR_SCALE[:3] = 3.0, 2.0, 4.0
VECTOR_SCALE[4::2] = 3.0
VECTOR_SCALE.setflags(write=False)
COMMAND_SCALE: NDArray[np.float32] = np.array([3.0, 1.0], dtype=np.float32)
COMMAND_SCALE.setflags(write=False)
# More than one: two numbers among 53 decide whether to brake.
AHEAD_SCALE: NDArray[np.float32] = np.array([4.0, 9.0], dtype=np.float32)
AHEAD_SCALE.setflags(write=False)
SCALES = {"vector": VECTOR_SCALE, "ahead": AHEAD_SCALE, "command": COMMAND_SCALE}


def observation_space(frame_stack: int | None, vehicle_ahead: bool = False) -> spaces.Dict:
    """Keys `vector` (53,), with a camera `image` (frame_stack, 84, 84) uint8 and `command` (2,), and `ahead` (2,)."""
    pair = spaces.Box(-VECTOR_LIMIT, VECTOR_LIMIT, (2,), np.float32)
    parts: dict[str, spaces.Space[Any]] = {
        "vector": spaces.Box(-VECTOR_LIMIT, VECTOR_LIMIT, (VECTOR_SIZE,), np.float32)
    }
    if vehicle_ahead:
        parts["ahead"] = pair
    if frame_stack is not None:
        parts["image"] = spaces.Box(0, 255, (frame_stack, FRAME_SIZE, FRAME_SIZE), np.uint8)
        parts["command"] = pair
    return spaces.Dict(parts)


def vector(tracker: Tracker, x: float, y: float, yaw: float, speed: float) -> NDArray[np.float32]:
    """The 53 numbers: speed/30, lateral/3.5 (positive right), heading error/pi, 25 waypoints/50.

    Waypoints are (forward, right) in the vehicle's frame, 2 to 50 m ahead; zeros past the route's end.
    """
    out = np.zeros(VECTOR_SIZE, dtype=np.float32)
    out[0] = speed / 30.0
    out[1] = tracker.lateral / 3.5
    out[2] = tracker.heading_error / math.pi
    first = tracker.index + WAYPOINT_STRIDE
    ahead = slice(first, tracker.index + WAYPOINTS * WAYPOINT_STRIDE + 1, WAYPOINT_STRIDE)
    dx, dy = tracker.route.x[ahead] - x, tracker.route.y[ahead] - y
    cosine, sine = math.cos(yaw) / 50.0, math.sin(yaw) / 50.0
    end = 3 + 2 * len(dx)
    out[3:end:2] = cosine * dx + sine * dy
    out[4:end:2] = cosine * dy - sine * dx
    return out.clip(-VECTOR_LIMIT, VECTOR_LIMIT, out=out)


def command(tracker: Tracker, speed: float) -> NDArray[np.float32]:
    """Speed/30 and the route command: -1 left, 0 follow, +1 right."""
    return np.array([speed / 30.0, tracker.route.command[tracker.index]], dtype=np.float32)


def vehicle_ahead(ahead: Ahead) -> NDArray[np.float32]:
    """Nearness, 0 from 50 m on and without a vehicle to 1 at the bumper, and closing speed/30."""
    near = max(0.0, 1.0 - ahead.gap / LOOK_AHEAD)
    return np.array([near, ahead.closing / 30.0], dtype=np.float32)


def gray(bgra: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma (ITU-R BT.601) of a (height, width, 4) image, in [0, 255]."""
    weights = np.array([0.114, 0.587, 0.299, 0.0], dtype=np.float32)
    return np.asarray(bgra.astype(np.float32) @ weights, dtype=np.float32)


class Resizer:
    """Area-resizes gray images of one size to 84x84: each pixel is the mean of the area it covers."""

    def __init__(self, width: int, height: int) -> None:
        self._rows = _coverage(height)
        self._columns = _coverage(width).T
        self._same = width == height == FRAME_SIZE

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.uint8]:
        resized = image if self._same else self._rows @ image @ self._columns
        return (resized + 0.5).astype(np.uint8)


def _coverage(size: int) -> NDArray[np.float32]:
    """(84, size): the share of output pixel i that input pixel j covers; rows sum to one."""
    edges = np.linspace(0.0, size, FRAME_SIZE + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(size)
    overlap = np.minimum(high, pixels + 1) - np.maximum(low, pixels)
    return (overlap.clip(min=0.0) * FRAME_SIZE / size).astype(np.float32)


class FrameStack:
    """The last frames the agent saw, oldest first; an episode begins with its first frame repeated."""

    def __init__(self, depth: int) -> None:
        self._frames = np.zeros((depth, FRAME_SIZE, FRAME_SIZE), dtype=np.uint8)

    def fill(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._frames[:] = frame
        return self._frames.copy()

    def push(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._frames[:-1] = self._frames[1:]
        self._frames[-1] = frame
        return self._frames.copy()


def scaled(observation: Mapping[str, NDArray[Any]]) -> Observation:
    """Each part times its scale; images as they are."""
    return {
        name: value * SCALES[name] if name in SCALES else value
        for name, value in observation.items()
    }


class ScaledVector(gymnasium.ObservationWrapper[Observation, Action, Observation]):
    """Hands the agent numbers scaled; the environment below keeps the plain ones."""

    def __init__(self, env: gymnasium.Env[Observation, Action]) -> None:
        super().__init__(env)
        inner = env.observation_space
        assert isinstance(inner, spaces.Dict)
        self.observation_space = spaces.Dict(
            {
                key: spaces.Box(-VECTOR_LIMIT * SCALES[key], VECTOR_LIMIT * SCALES[key])
                if key in SCALES
                else space
                for key, space in inner.spaces.items()
            }
        )

    def observation(self, observation: Observation) -> Observation:
        return scaled(observation)
