"""Why a checkpoint was written, and how far an evaluation of one is. Pure."""

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


class EvaluationState(StrEnum):
    """Where an evaluation of a checkpoint stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """A worker drives it, or will."""
        return self in (self.QUEUED, self.RUNNING)
