"""The lifecycle of a run: states, actions, and which action is legal where. Pure."""

from enum import StrEnum

# Preset of the runs of users' own trainers: no worker claims, reaps or restarts them.
EXTERNAL = "external"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    HALTED = "halted"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """A worker owns the run."""
        return self in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)

    @property
    def is_over(self) -> bool:
        """Nothing happens any more unless a person acts."""
        return self in (RunState.FINISHED, RunState.HALTED, RunState.CANCELLED, RunState.FAILED)

    @property
    def actions(self) -> tuple["Action", ...]:
        """Actions legal in this state, in the order buttons are shown."""
        return ACTIONS[self]


class Desired(StrEnum):
    """What people or rules want of a run; kept apart from its state."""

    RUN = "run"
    HALT = "halt"
    CANCEL = "cancel"


class Action(StrEnum):
    """What a person can do to a run."""

    CHECKPOINT = "checkpoint"
    HALT = "halt"
    CANCEL = "cancel"
    RESUME = "resume"
    ROLLBACK = "rollback"


ACTIONS: dict[RunState, tuple[Action, ...]] = {
    RunState.QUEUED: (Action.HALT, Action.CANCEL),
    RunState.STARTING: (Action.HALT, Action.CANCEL),
    RunState.RUNNING: (Action.CHECKPOINT, Action.HALT, Action.CANCEL, Action.ROLLBACK),
    RunState.STOPPING: (),
    RunState.FINISHED: (Action.ROLLBACK,),
    RunState.HALTED: (Action.RESUME, Action.ROLLBACK, Action.CANCEL),
    RunState.FAILED: (Action.RESUME, Action.ROLLBACK, Action.CANCEL),
    RunState.CANCELLED: (),
}


class CommandKind(StrEnum):
    """What the API asks of a running trainer, as a row it takes at a step boundary."""

    CHECKPOINT = "checkpoint"
    ROLLBACK = "rollback"


class CommandState(StrEnum):
    """Where a command stands."""

    PENDING = "pending"
    TAKEN = "taken"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
