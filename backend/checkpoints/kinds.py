"""Why a checkpoint was written. Pure."""

from enum import StrEnum


class CheckpointKind(StrEnum):
    """The occasion of a checkpoint; rolling kinds are subject to retention."""

    INTERVAL = "interval"
    BEST = "best"
    ALERT = "alert"
    DRAIN = "drain"
    HALT = "halt"
    MANUAL = "manual"
    ROLLBACK = "rollback"
    FINAL = "final"

    @property
    def is_rolling(self) -> bool:
        return self in (self.INTERVAL, self.BEST, self.ALERT, self.DRAIN)
