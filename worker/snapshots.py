"""Snapshots of the driving for people to look at: the last picture and the trace of the episode."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.runs.snapshots import FRAME, TRACE, Point, Trace
from worker.environment.carla_env import DrivingEnv
from worker.environment.route import SPACING, Route

INTERVAL = 2.0
ROUTE_STRIDE = int(2.0 / SPACING)
# A vehicle that stands or crawls adds no points.
TRACK_SPACING = 1.0
GAP = 6


class Snapshots:
    """Overwrites a run's picture and trace every `INTERVAL` seconds of driving.

    Other environments than the driving task have neither road nor camera: nothing is written.
    """

    def __init__(
        self,
        folder: Path,
        env: gymnasium.Env[Any, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._env = env.unwrapped if isinstance(env.unwrapped, DrivingEnv) else None
        self._clock = clock
        self._due = -math.inf
        self._episode = -1
        self._track: list[Point] = []
        self._ended: str | None = None
        self._previous: str | None = None

    def decision(
        self, step: int, episode: int, observation: Mapping[str, Any], info: Mapping[str, Any]
    ) -> None:
        """Take note of one decision's outcome; writes if it is time. Never raises OSError."""
        if self._env is None:
            return
        self._follow(episode, info)
        if self._clock() < self._due:
            return
        # A full disk has a rule of its own; training goes on without pictures.
        with suppress(OSError):
            self._write(self._env, step, observation, info)
        self._due = self._clock() + INTERVAL

    def _follow(self, episode: int, info: Mapping[str, Any]) -> None:
        if episode != self._episode:
            self._episode, self._track, self._previous = episode, [], self._ended
        position = info["position"]
        if not self._track or math.dist(position, self._track[-1]) >= TRACK_SPACING:
            self._track.append(position)
        self._ended = info["termination"]

    def _write(
        self, env: DrivingEnv, step: int, observation: Mapping[str, Any], info: Mapping[str, Any]
    ) -> None:
        """The picture first: a trace that tells of one must not be there before it."""
        rgb = env.last_rgb
        trace = Trace(
            at=time.time(),
            step=step,
            episode=self._episode,
            picture=rgb is not None,
            name=env.route.name,
            route=thinned(env.route),
            driven=[_rounded(*point) for point in (*self._track, info["position"])],
            heading=env.ego.yaw,
            speed=info["speed"],
            route_percent=info["route_percent"],
            termination=self._ended,
            previous=self._previous,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        if rgb is not None:
            _replace(self._folder / FRAME, picture(rgb, observation["image"][-1]))
        _replace(self._folder / TRACE, trace.model_dump_json().encode())


def thinned(route: Route) -> list[Point]:
    """A point every two metres, and the last one."""
    last = len(route.x) - 1
    kept = [*range(0, last, ROUTE_STRIDE), last]
    return [_rounded(float(route.x[i]), float(route.y[i])) for i in kept]


def _rounded(x: float, y: float) -> Point:
    return round(x, 2), round(y, 2)


def picture(rgb: NDArray[np.uint8], gray: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) beside (84, 84) at the same height, with a clear gap between, as WebP."""
    height, width, _ = rgb.shape
    seen = Image.fromarray(gray).resize((height, height), Image.Resampling.NEAREST)
    sheet = Image.new("RGBA", (width + GAP + height, height))
    sheet.paste(Image.fromarray(np.ascontiguousarray(rgb)), (0, 0))
    sheet.paste(seen, (width + GAP, 0))
    encoded = BytesIO()
    sheet.save(encoded, "WEBP", quality=90, method=0)
    return encoded.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all for readers; unlike a checkpoint it need not outlive a power cut."""
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
