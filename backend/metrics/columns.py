"""Columns: the points of one metric as four equally long arrays. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Point = tuple[str, int, int, float, float]
Axis = Literal["step", "episode", "time"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Points in the order they were recorded: env step, episode, wall time (s, UTC) and value.

    Steps never decrease. Values are kept as they were, NaN and infinities included.
    """

    step: Integers
    episode: Integers
    time: Floats
    value: Floats

    @classmethod
    def of(
        cls,
        step: Iterable[int] | NDArray[np.integer],
        episode: Iterable[int] | NDArray[np.integer],
        time: Iterable[float] | Floats,
        value: Iterable[float] | Floats,
    ) -> Self:
        return cls(
            np.asarray(step, np.int64),
            np.asarray(episode, np.int64),
            np.asarray(time, np.float64),
            np.asarray(value, np.float64),
        )

    @classmethod
    def empty(cls) -> Self:
        return cls.of([], [], [], [])

    @classmethod
    def concatenate(cls, parts: Sequence["Columns"]) -> Self:
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.step for part in parts]),
            np.concatenate([part.episode for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.value for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | Integers) -> "Columns":
        return Columns(self.step[rows], self.episode[rows], self.time[rows], self.value[rows])

    def axis(self, x: Axis) -> Floats:
        """The clock named `x`, as floats to plot against."""
        clock: NDArray[np.generic] = getattr(self, x)
        return clock.astype(np.float64)

    @property
    def arrays(self) -> tuple[Integers, Integers, Floats, Floats]:
        return self.step, self.episode, self.time, self.value


def by_metric(points: Iterable[Point]) -> dict[str, Columns]:
    """Points of many metrics sorted into columns, each in its order of arrival."""
    rows: dict[str, tuple[list[int], list[int], list[float], list[float]]] = {}
    for metric, step, episode, time, value in points:
        steps, episodes, times, values = rows.setdefault(metric, ([], [], [], []))
        steps.append(step)
        episodes.append(episode)
        times.append(time)
        values.append(value)
    return {metric: Columns.of(*lists) for metric, lists in rows.items()}
