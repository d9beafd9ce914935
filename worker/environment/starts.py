"""Where and how an episode starts, drawn from its random generator alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.runs.config import RunConfig
from worker.environment.route import Route

# Whose routes an evaluation drives.
TRAINING, HELD_OUT, SECOND_TOWN = "training", "held-out", "second-town"

# A rolling start leaves this much of the route to drive.
LAST_START = 30.0
JITTER_ALONG, JITTER_RIGHT, JITTER_TURN = 8.0, 0.3, math.radians(3.0)


@dataclass(frozen=True)
class Start:
    """Route number, metres along it and beside its centre, radians off its heading, speed in m/s."""

    route: int = 0
    distance: float = 0.0
    right: float = 0.0
    turn: float = 0.0
    speed: float = 0.0


def draw_training(rng: np.random.Generator, config: RunConfig, routes: Sequence[Route]) -> Start:
    """Often somewhere along the route and rolling: exploration sees turns and speed from the first step."""
    number = int(rng.integers(len(routes)))
    if rng.random() >= config.random_start_probability:
        return _jittered(rng, config, Start(number))
    distance = float(rng.uniform(0.0, max(1.0, routes[number].length - LAST_START)))
    speed = float(rng.uniform(0.0, config.random_start_speed))
    return _jittered(rng, config, Start(number, distance, speed=speed))


def draw_evaluation(
    rng: np.random.Generator, config: RunConfig, routes: Sequence[Route], number: int
) -> Start:
    """At rest at a route's start. Routes take turns by `number`, so equal shares are evaluated."""
    return _jittered(rng, config, Start(number % len(routes)))


def _jittered(rng: np.random.Generator, config: RunConfig, start: Start) -> Start:
    if not config.start_jitter:
        return start
    return Start(
        start.route,
        start.distance + float(rng.uniform(0.0, JITTER_ALONG)),
        float(rng.uniform(-JITTER_RIGHT, JITTER_RIGHT)),
        float(rng.uniform(-JITTER_TURN, JITTER_TURN)),
        start.speed,
    )
