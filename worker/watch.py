"""When a trainer must be pushed: the stop ladder and the stall watchdog. Pure: the clock is passed in."""

from dataclasses import dataclass
from enum import IntEnum

# What trainers say they are at, where it matters how long it may take.
DRIVING = "driving"
SAVING = "saving"


@dataclass(frozen=True)
class Limits:
    """Seconds between looks, and until the next harder measure."""

    look: float = 0.2
    beat: float = 2.0
    stop: float = 20.0
    save: float = 120.0
    leave: float = 10.0
    stall: float = 60.0
    patience: float = 600.0


class Rung(IntEnum):
    """How hard a trainer is being stopped."""

    NONE = 0
    FLAG = 1
    TERMINATE = 2
    KILL = 3


class StopLadder:
    """Flag in the database, then SIGTERM, then SIGKILL; a trainer that is saving gets more time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._asked_at: float | None = None
        self._draining = False

    def ask(self, now: float, draining: bool = False) -> None:
        """A stop is wanted. A drain has no flag in the database: it begins with SIGTERM."""
        self._draining |= draining
        if self._asked_at is None:
            self._asked_at = now

    def rung(self, now: float, saving: bool) -> Rung:
        if self._asked_at is None:
            return Rung.NONE
        limit = self._limits.save if saving else self._limits.stop
        steps = int((now - self._asked_at) / limit) + (1 if self._draining else 0)
        return Rung(min(Rung.FLAG + steps, Rung.KILL))


class StallWatchdog:
    """Notices a trainer that is alive but does nothing: neither its step nor its activity changes.

    Driving shall step within `stall` seconds; a start, a reset or an evaluation's episode may take
    `patience`.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._last: tuple[int, str] | None = None
        self._since = now

    def stalled_for(self, now: float, step: int, activity: str) -> float | None:
        """Seconds without progress when they are too many, else None."""
        if (step, activity) != self._last:
            self._last, self._since = (step, activity), now
        limit = self._limits.stall if activity == DRIVING else self._limits.patience
        idle = now - self._since
        return idle if idle > limit else None
