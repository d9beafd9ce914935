"""Records an evaluation for people to look at: the way of every episode, and films of two of them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.metrics.catalog import TERMINATIONS
from backend.runs.recordings import (
    FOLDER,
    KEPT,
    RecordedEpisode,
    RecordedEvaluation,
    RecordedRoute,
    recording_names,
)
from backend.runs.snapshots import Point
from worker.environment.carla_env import DrivingEnv
from worker.environment.connection import TICK_SECONDS
from worker.environment.route import SPACING, Route
from worker.evaluation import Record
from worker.film import HEIGHT, MOST_FRAMES, Shot, film, poster

ROUTE_STRIDE = int(2.0 / SPACING)
# A vehicle that stands or crawls adds no points.
TRACK_SPACING = 1.0
# Seconds of driving between two frames, until an episode is too long for that.
SHOT_SECONDS = 0.2


@dataclass
class Take:
    """One episode as it was driven."""

    number: int
    seed: int
    route: Route
    shots: list[Shot]
    driven: list[Point]
    record: Record


class Recording:
    """Watches one evaluation and writes it into `folder` when it is closed.

    Shots of two episodes are held at a time, at most `MOST_FRAMES` of each: the first episode's and
    those of the one with the lowest return. Environments without a road are not recorded.
    """

    def __init__(
        self, folder: Path, env: gymnasium.Env[Any, Any], step: int, asked: bool = False
    ) -> None:
        self._folder = folder / FOLDER
        self._env = env.unwrapped if isinstance(env.unwrapped, DrivingEnv) else None
        self._step = step
        self._asked = asked
        self._takes: list[Take] = []

    def began(self, number: int, seed: int) -> None:
        """An episode starts: the environment was reset."""
        if self._env is None:
            return
        every = max(1, round(SHOT_SECONDS / self._seconds_per_decision))
        self._stride, self._decisions = every, 0
        self._takes.append(Take(number, seed, self._env.route, [], [], {}))
        ego = self._env.ego
        self._shoot(self._env, (ego.x, ego.y), ego.speed, 0.0)

    def decided(self, info: Mapping[str, Any]) -> None:
        """One decision was driven."""
        if self._env is None:
            return
        self._decisions += 1
        take, position = self._takes[-1], info["position"]
        if not take.driven or math.dist(position, take.driven[-1]) >= TRACK_SPACING:
            take.driven.append(position)
        if self._decisions % self._stride == 0 or info["termination"]:
            self._shoot(self._env, position, info["speed"], info["route_percent"])

    def ended(self, record: Record) -> None:
        """The episode is over: what is neither first nor worst so far gives its shots back."""
        if self._env is None:
            return
        self._takes[-1].record = record
        kept = self._filmed()
        for take in self._takes:
            if take not in kept:
                take.shots = []

    def close(self) -> None:
        """Draw, encode and write; takes a second or two and touches nothing the training uses.

        A disk that is full costs the recording, nothing else.
        """
        takes = [take for take in self._takes if take.record]
        if self._env is None or not takes:
            return
        name = f"step-{self._step:09d}-{int(time.time())}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            films = {t.number: self._film(f"{name}-{t.number}", t) for t in self._filmed()}
            document = self._document(name, takes, films)
            replace_file(self._folder / f"{name}.json", document.model_dump_json().encode())
            forget_old(self._folder)
        except OSError:
            return

    @property
    def _seconds_per_decision(self) -> float:
        assert self._env is not None
        return self._env.config.ticks_per_decision * TICK_SECONDS

    def _filmed(self) -> list[Take]:
        ended = [take for take in self._takes if take.record]
        worst = min(ended, key=lambda take: take.record["return"], default=None)
        return [take for take in ended if take is worst or take.number == 0]

    def _shoot(self, env: DrivingEnv, position: Point, speed: float, route_percent: float) -> None:
        shots = self._takes[-1].shots
        shots.append(
            Shot(
                position,
                env.ego.yaw,
                speed,
                route_percent,
                self._decisions * self._seconds_per_decision,
                _small(env.last_rgb),
            )
        )
        if len(shots) > MOST_FRAMES:
            del shots[1::2]
            self._stride *= 2

    def _film(self, name: str, take: Take) -> str:
        route = thinned(take.route)
        replace_file(self._folder / f"{name}.webp", film(take.shots, route))
        replace_file(self._folder / f"{name}-poster.webp", poster(take.shots, route))
        return name

    def _document(
        self, name: str, takes: list[Take], films: Mapping[int, str]
    ) -> RecordedEvaluation:
        routes = {take.route.name: take.route for take in takes}
        order = list(routes)
        return RecordedEvaluation(
            name=name,
            at=time.time(),
            step=self._step,
            asked=self._asked,
            routes=[
                RecordedRoute(name=route.name, points=thinned(route)) for route in routes.values()
            ],
            episodes=[
                _described(take, order.index(take.route.name), films.get(take.number))
                for take in takes
            ],
        )


def _described(take: Take, route: int, name: str | None) -> RecordedEpisode:
    record = take.record
    return RecordedEpisode(
        number=take.number,
        seed=take.seed,
        route=route,
        driven=[rounded(*point) for point in take.driven],
        total=record["return"],
        success=bool(record.get("success")),
        termination=TERMINATIONS[int(record["termination"])],
        seconds=record["seconds"],
        route_percent=record["route_percent"],
        film=name,
    )


def _small(rgb: NDArray[np.uint8] | None) -> Image.Image | None:
    """The camera's picture no higher than a film is; a copy, the camera overwrites its own."""
    if rgb is None:
        return None
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    picture.thumbnail((2 * HEIGHT, HEIGHT), Image.Resampling.BILINEAR)
    return picture


def forget_old(folder: Path) -> None:
    """Keep the newest `KEPT` evaluations."""
    for name in recording_names(folder)[KEPT:]:
        for path in folder.glob(f"{name}*"):
            path.unlink(missing_ok=True)


def thinned(route: Route) -> list[Point]:
    """A point every two metres, and the last one."""
    last = len(route.x) - 1
    kept = [*range(0, last, ROUTE_STRIDE), last]
    return [rounded(float(route.x[i]), float(route.y[i])) for i in kept]


def rounded(x: float, y: float) -> Point:
    return round(x, 2), round(y, 2)


def replace_file(path: Path, content: bytes) -> None:
    """Whole or not at all for readers; unlike a checkpoint it need not outlive a power cut."""
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
