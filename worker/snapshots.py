"""Snapshots of the driving for people to look at: the last picture and the trace of the episode."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.runs.snapshots import FRAME, TRACE, Point, Trace
from worker.environment.carla_env import DrivingEnv
from worker.recording import TRACK_SPACING, Recording, replace_file, rounded, thinned

INTERVAL = 2.0
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
        self._whole_env = env
        self._env = env.unwrapped if isinstance(env.unwrapped, DrivingEnv) else None
        self._encoding: Thread | None = None
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

    def evaluation(self, step: int) -> Recording:
        """A watcher for the evaluation that begins."""
        return Recording(self._folder, self._whole_env, step)

    def keep(self, recording: Recording) -> None:
        """Draw and write it in another thread, after the one before: training goes on at once."""
        self.close()
        self._encoding = Thread(target=recording.close, name="recording")
        self._encoding.start()

    def close(self) -> None:
        """What is being written is whole when this returns."""
        if self._encoding is not None:
            self._encoding.join()

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
            driven=[rounded(*point) for point in (*self._track, info["position"])],
            heading=env.ego.yaw,
            speed=info["speed"],
            route_percent=info["route_percent"],
            termination=self._ended,
            previous=self._previous,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        if rgb is not None:
            replace_file(self._folder / FRAME, picture(rgb, observation["image"][-1]))
        replace_file(self._folder / TRACE, trace.model_dump_json().encode())


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
