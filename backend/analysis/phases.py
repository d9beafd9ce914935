"""Exploration and learning apart; the episode in progress when learning starts belongs to neither."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.analysis.quarters import finite


@dataclass(frozen=True)
class Phase:
    """Episodes [start, stop) of one phase: mean and population std of their finite returns, and lengths."""

    name: str
    start: int
    stop: int
    first_step: int
    last_step: int
    return_mean: float | None
    return_std: float | None
    length_mean: float | None

    @property
    def n(self) -> int:
        return self.stop - self.start

    def document(self) -> dict[str, Any]:
        """As reports print it; `to` is exclusive."""
        return {
            "name": self.name,
            "from": self.start,
            "to": self.stop,
            "n": self.n,
            "first_step": self.first_step,
            "last_step": self.last_step,
            "return_mean": self.return_mean,
            "return_std": self.return_std,
            "length_mean": self.length_mean,
        }


@dataclass(frozen=True)
class Phases:
    """The two phases of a run and the episodes astride, at most one."""

    exploration: Phase
    learning: Phase
    astride: tuple[int, ...]


def split_phases(returns: ArrayLike, ends: ArrayLike, lengths: ArrayLike, starts: int) -> Phases:
    """Episodes that end at or before step `starts` explored; those that begin at or after it learn.

    `ends` are the steps at which episodes ended, `lengths` their decisions; all equally long, in order.
    """
    value, end = np.asarray(returns, np.float64), np.asarray(ends, np.int64)
    length = np.nan_to_num(np.asarray(lengths, np.float64)).astype(np.int64)
    explored = int(np.searchsorted(end, starts, side="right"))
    learnt = int(np.searchsorted(end - length, starts, side="left"))
    learnt = max(learnt, explored)
    return Phases(
        _phase("exploration", value, end, length, 0, explored),
        _phase("learning", value, end, length, learnt, len(value)),
        tuple(range(explored, learnt)),
    )


def _phase(
    name: str,
    returns: NDArray[np.float64],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    start: int,
    stop: int,
) -> Phase:
    if stop <= start:
        return Phase(name, start, start, 0, 0, None, None, None)
    part = finite(returns[start:stop])
    return Phase(
        name,
        start,
        stop,
        int(ends[start] - lengths[start]),
        int(ends[stop - 1]),
        float(part.mean()) if len(part) else None,
        float(part.std()) if len(part) else None,
        float(lengths[start:stop].mean()),
    )
