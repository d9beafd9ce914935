"""What pages say about a run, worked out once from its row."""

import re
from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.runs.models import Run
from backend.runs.states import Action, RunState
from backend.web import words
from backend.web.pace import remaining

SILENT_AFTER = 10.0
COUNTED = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class RunView:
    """A run as a page shows it, at one moment; `eta` is the seconds to the planned end, where known."""

    run: Run
    now: float
    eta: float | None = None

    @property
    def state(self) -> RunState:
        return RunState(self.run.state)

    @property
    def state_word(self) -> words.Word:
        """Halting and cancelling are asked for before the trainer has stopped: say so at once."""
        if self.state.is_active and self.run.desired != "run":
            verb = {"halt": "halting", "cancel": "cancelling"}[self.run.desired]
            return words.Word(verb, "warn", "dot")
        return words.STATES[self.state]

    @property
    def verdict_word(self) -> words.Word:
        return words.VERDICTS[self.run.verdict]

    @property
    def is_judged_anew(self) -> bool:
        """The verdict is of before a stop or a rollback: nothing has been judged since."""
        waits = self.state in (RunState.QUEUED, RunState.STARTING)
        ahead = self.is_live and self.run.verdict_since_step > self.run.step
        return bool(self.run.verdict_sentence) and (waits or ahead)

    @property
    def actions(self) -> tuple[Action, ...]:
        """Legal actions; while a stop is under way there is nothing more to ask."""
        if self.state.is_active and self.run.desired != "run":
            return ()
        return self.run.actions

    @property
    def is_live(self) -> bool:
        return not self.state.is_over

    @property
    def share(self) -> float:
        return min(1.0, self.run.step / max(1, self.run.total_steps))

    @property
    def learning_starts(self) -> int:
        return int(self.run.config.get("learning_starts", 0))

    @property
    def exploration_share(self) -> float:
        """Part of the planned steps that only explores."""
        return min(1.0, self.learning_starts / max(1, self.run.total_steps))

    @property
    def explored(self) -> int:
        return min(self.run.step, self.learning_starts)

    @property
    def learned(self) -> int:
        return max(0, self.run.step - self.learning_starts)

    @property
    def phase(self) -> str:
        if self.run.step == 0:
            return "not started"
        return "exploring" if self.run.step < self.learning_starts else "learning"

    @property
    def stage(self) -> tuple[int, int] | None:
        """How far a piece of work beside the driving is, as (done, of), where its words say so."""
        match = COUNTED.search(self.run.activity) if self.state.is_active else None
        return (int(match[1]), int(match[2])) if match and int(match[2]) else None

    @property
    def silence(self) -> float | None:
        """Seconds without a sign of the trainer, once that is worth a word."""
        if not self.state.is_active or self.run.heartbeat_at is None:
            return None
        quiet = self.now - self.run.heartbeat_at
        return quiet if quiet > SILENT_AFTER else None

    @property
    def needs_attention(self) -> bool:
        return (self.is_live and self.run.verdict == "no-go") or self.state is RunState.FAILED

    @property
    def icon(self) -> str:
        """Tone of the favicon: the verdict while it lives, the state once it is over."""
        return self.verdict_word.tone if self.is_live else self.state_word.tone

    @property
    def title(self) -> str:
        """Document title: a tab in the background still says how it stands."""
        return f"{self.verdict_word.text} \N{MIDDLE DOT} {self.state_word.text} \N{MIDDLE DOT} {self.run.name}"


def view_of(session: Session, run: Run, now: float) -> RunView:
    """The run as it stands, with the time left at the measured speed of each phase to come."""
    return RunView(run, now, remaining(session, run, now))
