"""The two clocks of a log: which tags count episodes, and where those stand on the step clock. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from backend.metrics.catalog import ALIASES, CATALOG
from backend.metrics.columns import Columns, Floats, Integers

LENGTH = "episode/length"
LAST_STEP = 2**31 - 1  # as the database's columns hold it


@dataclass(frozen=True)
class EpisodeClock:
    """When each episode ended: its number as logged, its last step, its wall time."""

    number: Integers
    end: Integers
    time: Floats

    @property
    def half_duration(self) -> float:
        """Half the median wall time of an episode, in seconds: closer than this is the same episode."""
        return float(np.median(np.diff(self.time))) / 2 if len(self.time) > 1 else np.inf

    def place(self, columns: Columns) -> Columns:
        """Episode-indexed points on the step clock: each at the last step of its episode."""
        row = np.searchsorted(self.number, columns.step)
        return replace(columns, step=self.end[row], episode=columns.step)

    def count(self, columns: Columns) -> Columns:
        """Step-indexed points with the number of episodes that had ended before each."""
        return replace(columns, episode=np.searchsorted(self.end, columns.step, side="left"))

    def counts(self, tag: str, columns: Columns) -> bool:
        """Whether a tag's index is an episode number, judged by the log itself.

        Every index must be an episode, logged when that episode ended. A log whose wall times say
        nothing (all equal) is judged by the catalogue.
        """
        row = np.searchsorted(self.number, columns.step)
        if (row >= len(self.number)).any() or (self.number[row] != columns.step).any():
            return False
        if np.ptp(self.time) == 0:
            return is_per_episode(tag)
        return bool(np.median(np.abs(columns.time - self.time[row])) <= self.half_duration)


def find_clock(tags: dict[str, Columns]) -> EpisodeClock | None:
    """The clock of a log that counts its episodes; None when the log runs on env steps throughout.

    It comes from the tag of the episode's length: numbers that go up by one from 0 or 1 count
    episodes, while on the step clock they would go up by the lengths themselves.
    """
    tag = next((tag for tag in tags if ALIASES.get(tag) == LENGTH), None)
    if tag is None:
        return None
    index, lengths = tags[tag].step, tags[tag].value
    consecutive = index[0] in (0, 1) and (np.diff(index) == 1).all()
    if not consecutive or not np.isfinite(lengths).all() or lengths.min() < 0:
        return None
    if not index[-1] + 1 < lengths.sum() <= LAST_STEP:
        return None
    return EpisodeClock(index, np.cumsum(lengths).astype(np.int64), tags[tag].time)


def is_per_episode(tag: str) -> bool:
    name = ALIASES.get(tag, tag)
    return name in CATALOG and CATALOG[name].per_episode
