"""Vital signs of a trainer between two samples: speed by phase, executed actions, memory, disk."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from psutil import Process

from worker.coverage import histogram
from worker.memory import available_memory

DIMENSIONS = ("steering", "throttle")


class Vitals:
    """Counts while the loop runs; `sample()` turns the counts since the last one into metrics.

    Attributes:
        rate: decisions per second of training at the last sample; evaluations do not count.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], folder: Path, updates: int = 0) -> None:
        self.rate = 0.0
        self._env = env.unwrapped
        self._folder = folder
        self._process = Process()
        self._updates = updates
        self._process.cpu_percent()
        self._begin()

    def _begin(self) -> None:
        self._since = time.perf_counter()
        self._away = 0.0
        self._update_seconds = 0.0
        self._reset_seconds: list[float] = []
        self._actions: list[NDArray[np.float32]] = []
        self._tick_ms: list[float] = []

    def decision(self, action: NDArray[np.float32]) -> None:
        self._actions.append(action)
        if tick_ms := getattr(self._env, "tick_ms", 0.0):
            self._tick_ms.append(tick_ms)

    def reset_took(self, seconds: float) -> None:
        self._reset_seconds.append(seconds)

    @contextmanager
    def updating(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._update_seconds += time.perf_counter() - began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time in here is not training time."""
        began = time.perf_counter()
        yield
        self._away += time.perf_counter() - began

    @property
    def npcs(self) -> int:
        """Vehicles of the traffic that drives now."""
        return len(getattr(self._env, "traffic", None) or ())

    def sample(self, updates: int, learning: bool) -> dict[str, float]:
        """Metrics since the last sample, by catalogue name; at least one decision lies between.

        `learning`: updates were due after every decision since then.
        """
        decisions, done = len(self._actions), updates - self._updates
        seconds = max(1e-9, time.perf_counter() - self._since - self._away)
        self.rate = decisions / seconds
        found = {
            "progress/steps_per_second": self.rate,
            "learner/updates": float(updates),
            "system/cpu_percent": self._process.cpu_percent(),
            "system/ram_free_bytes": float(available_memory()),
            "system/ram_bytes": float(self._process.memory_info().rss),
            "system/disk_free_bytes": float(shutil.disk_usage(self._folder).free),
            **gpu_memory(),
            **_action_statistics(np.stack(self._actions)),
        }
        if learning:
            found["learner/updates_per_step"] = done / decisions
        if done:
            found["system/update_ms"] = 1000.0 * self._update_seconds / done
        if self._reset_seconds:
            found["system/reset_ms"] = 1000.0 * float(np.mean(self._reset_seconds))
        if self._tick_ms:
            found["system/tick_ms"] = float(np.mean(self._tick_ms))
        self._updates = updates
        self._begin()
        return found


def gpu_memory() -> dict[str, float]:
    """Bytes PyTorch holds on the GPU in use and bytes still free on it; nothing without one."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return {}
    return {
        "system/gpu_bytes": float(torch.cuda.memory_allocated()),
        "system/gpu_free_bytes": float(torch.cuda.mem_get_info()[0]),
    }


def _action_statistics(actions: NDArray[np.float32]) -> dict[str, float]:
    """Of the executed actions, (N, A); further dimensions than driving's two are left out."""
    found: dict[str, float] = {}
    for name, column in zip(DIMENSIONS, actions.T, strict=False):
        for statistic in ("mean", "std", "min", "max"):
            found[f"actions/{name}_{statistic}"] = float(getattr(np, statistic)(column))
        found |= histogram(f"actions/{name}", column, -1, 1)
    return found
