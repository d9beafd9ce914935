"""What a ladder is to do: its stages, and the move that follows from how a stage stands. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCRATCH, CONTINUE = "scratch", "continue"


class LadderState(StrEnum):
    """Where a ladder stands."""

    RUNNING = "running"
    WAITING = "waiting"
    PASSED = "passed"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        return self in (LadderState.PASSED, LadderState.STOPPED)


class StageState(StrEnum):
    """Where a stage stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PASSED = "passed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Stage:
    """One stage: a run from scratch, or the run of an earlier stage that goes on.

    `config` overrides the preset's; a stage that continues only sets `total_steps`. `gates` are a
    preset's name, `rules` (those of the run's rules), `none`, or a list of documents. `against` names
    the stage whose run the gates compare with. `judges_verdict`: the run's verdict counts beside them.
    """

    name: str
    preset: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    start: str = SCRATCH
    continues: str = ""
    gates: str | list[dict[str, Any]] = "rules"
    against: str = ""
    judges_verdict: bool = True


@dataclass(frozen=True)
class Plan:
    """A ladder's name and its stages in order."""

    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Answer:
    """What one gate of a stage said; `accepted`: a person let its condition stand."""

    at: int
    outcome: str
    reason: str
    extend_to: int | None = None
    accepted: bool = False


@dataclass(frozen=True)
class Standing:
    """How a stage's run stands, as far as the ladder cares.

    `accepted`: who lets every condition of the verdict stand, and why.
    """

    state: str
    desired: str
    reason: str
    total_steps: int
    verdict: str
    sentence: str
    accepted: str = ""
    answers: Sequence[Answer] = ()


class Move(StrEnum):
    """What the ladder does next."""

    WAIT = "wait"
    EXTEND = "extend"
    ASK = "ask"
    PASS = "pass"
    STOP = "stop"


@dataclass(frozen=True)
class Decision:
    """A move and why; `steps` is the new length of a run that is extended."""

    move: Move
    reason: str
    steps: int = 0


def decide(stage: Stage, run: Standing) -> Decision:
    """GO passes, CONDITIONAL GO asks a person, NO-GO stops; the worst of gates and verdict counts.

    A run that a person halted, or that failed for reasons of the machine, is waited for: it can be
    resumed.
    """
    if run.state == "cancelled":
        return Decision(Move.STOP, f"the run was cancelled: {run.reason}")
    halted = [answer for answer in run.answers if answer.outcome == "halt"]
    if run.state == "halted" and run.desired != "halt":
        return Decision(Move.STOP, f"NO-GO, the run was halted: {run.reason}")
    if run.state == "halted" and halted:
        return Decision(Move.STOP, f"NO-GO: {halted[0].reason}")
    if run.state != "finished":
        return Decision(Move.WAIT, _waiting(run))
    return _decide_finished(stage, run, halted)


def _unjudged(run: Standing) -> str:
    return "its gates pass" if run.answers else "trained to its end; nothing of it is judged"


def _waiting(run: Standing) -> str:
    if run.state in ("halted", "failed"):
        return f"the run is {run.state} ({run.reason}): resume it, or stop the ladder"
    return ""


def _decide_finished(stage: Stage, run: Standing, halted: Sequence[Answer]) -> Decision:
    if halted:
        return Decision(Move.STOP, f"NO-GO: {halted[0].reason}")
    judged = stage.judges_verdict
    if judged and run.verdict == "no-go":
        return Decision(Move.STOP, run.sentence)
    for answer in run.answers:
        if answer.outcome == "extend" and (answer.extend_to or 0) > run.total_steps:
            return Decision(Move.EXTEND, answer.reason, answer.extend_to or 0)
    asked = [
        answer.reason
        for answer in run.answers
        if answer.outcome in ("conditional", "extend") and not answer.accepted
    ]
    if judged and run.verdict != "go" and not run.accepted:
        asked.append(run.sentence)
    if asked:
        return Decision(Move.ASK, ". ".join(reason.rstrip(".") for reason in asked) + ".")
    told = f"{run.sentence} Accepted by {run.accepted}" if run.accepted else run.sentence
    return Decision(Move.PASS, told if judged else _unjudged(run))
