"""The words, tones and shapes of states, verdicts and rules: never a colour alone."""

from dataclasses import dataclass

from backend.runs.states import Action, RunState


@dataclass(frozen=True)
class Word:
    """How a state is said and shown; `tone` picks the colour, `shape` the symbol of the sprite."""

    text: str
    tone: str
    shape: str


@dataclass(frozen=True)
class ActionWord:
    """A button: its label, its key, its look, and what it will do."""

    text: str
    key: str
    look: str
    meaning: str


VERDICTS = {
    "go": Word("GO", "go", "circle"),
    "conditional-go": Word("CONDITIONAL GO", "warn", "triangle"),
    "no-go": Word("NO-GO", "stop", "octagon"),
    "too-early": Word("TOO EARLY", "quiet", "ring"),
}

# What a person does about it while the run is alive.
ADVICE = {
    "go": "Let it train on.",
    "conditional-go": "Look at the warnings before you let it go on.",
    "no-go": "Halt it, or roll back to before the trouble.",
    "too-early": "Let it train until there is enough to judge.",
}

RULES = {
    "ok": Word("OK", "go", "circle"),
    "warning": Word("WARNING", "warn", "triangle"),
    "critical": Word("CRITICAL", "stop", "octagon"),
    "no-data": Word("NO DATA", "quiet", "ring"),
}

GATES = {
    "pending": Word("PENDING", "quiet", "ring"),
    "pass": Word("PASSED", "go", "circle"),
    "extend": Word("EXTENDED", "warn", "triangle"),
    "conditional": Word("CONDITIONAL", "warn", "triangle"),
    "halt": Word("HALT", "stop", "octagon"),
}

LADDERS = {
    "running": Word("running", "live", "dot"),
    "waiting": Word("waits for a person", "warn", "triangle"),
    "passed": Word("passed", "go", "circle"),
    "stopped": Word("stopped", "stop", "octagon"),
}

STAGES = {"pending": Word("pending", "quiet", "ring"), **LADDERS}

DELIVERIES = {
    "pending": Word("on its way", "live", "ring"),
    "sent": Word("sent", "go", "circle"),
    "failed": Word("failed", "stop", "cross"),
}

STATES = {
    RunState.QUEUED: Word("queued", "quiet", "ring"),
    RunState.STARTING: Word("starting", "live", "ring"),
    RunState.RUNNING: Word("running", "live", "dot"),
    RunState.STOPPING: Word("stopping", "warn", "dot"),
    RunState.FINISHED: Word("finished", "go", "circle"),
    RunState.HALTED: Word("halted", "warn", "bars"),
    RunState.CANCELLED: Word("cancelled", "quiet", "cross"),
    RunState.FAILED: Word("failed", "stop", "cross"),
}

ACTIONS = {
    Action.CHECKPOINT: ActionWord("Checkpoint", "c", "", "Save a checkpoint now; training goes on"),
    Action.HALT: ActionWord("Halt", "h", "danger", "Save a checkpoint and stop; you can resume"),
    Action.CANCEL: ActionWord("Cancel", "", "quiet", "Stop for good; it cannot be resumed"),
    Action.RESUME: ActionWord("Resume", "", "primary", "Go on from the last checkpoint"),
    Action.ROLLBACK: ActionWord("Roll back", "", "", "Go back to an earlier checkpoint"),
}
