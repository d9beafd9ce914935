"""What a trainer of the user's own says over HTTP: here I am, these points, this checkpoint, the end.

Every call may be repeated after a lost answer and then changes nothing. Each answer tells what people
and rules want of the run.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from backend.checkpoints.kinds import CheckpointKind
from backend.errors import InvalidConfig, shown
from backend.gates.admission import check_choice
from backend.gates.facts import facts_of
from backend.gates.live import LiveJudges
from backend.gates.stored import preset_of
from backend.metrics.store import stored_flush
from backend.runs import external
from backend.runs.models import Run
from backend.runs.states import RunState
from backend.web.api.runs import RunId
from backend.web.api.schemas import CheckpointOut, FromRow
from backend.web.context import Now, Writing

router = APIRouter(tags=["external"])
MOST_POINTS = 50_000
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Token = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
Moment = Annotated[float, Field(allow_inf_nan=False)]
# Metric, step, episode, time (s, UTC), value; a value JSON has no number for is "NaN" or "Infinity".
PointIn = tuple[Name, Count, Count, Moment, float]


class NewExternal(BaseModel):
    """`token`: 32 random hexadecimal digits of the trainer's own; with it a repeat finds the same run."""

    model_config = ConfigDict(extra="forbid")

    token: Token
    name: str = Field("", max_length=120)
    host: str = Field("", max_length=100)
    config: dict[str, Any] = Field(default_factory=dict)


class Word(BaseModel):
    """What every message of a trainer carries: the token its run was made with."""

    model_config = ConfigDict(extra="forbid")

    token: Token


class Points(Word):
    """A flush: numbers count up from 1; one that is not above the last stored changes nothing."""

    flush: Annotated[int, Field(ge=1, le=2**31 - 1)]
    points: list[PointIn] = Field(max_length=MOST_POINTS)


class SavedFiles(Word):
    """Files the trainer keeps; `path` is shown to people and never opened."""

    path: str = Field(min_length=1, max_length=4096)
    bytes: int = Field(ge=0, le=2**31 - 1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    step: Count
    kind: CheckpointKind = CheckpointKind.MANUAL


class End(Word):
    state: Literal["finished", "halted", "cancelled", "failed"] = "finished"
    reason: str = Field("", max_length=2000)


class StandingOut(FromRow):
    """How the run stands, and what is wanted of it: `run`, `halt` or `cancel`."""

    id: int
    state: RunState
    desired: str
    verdict: str
    step: int
    flush: int = 0


def _judges(request: Request) -> LiveJudges:
    judges: LiveJudges = request.app.state.judges
    return judges


Judges = Annotated[LiveJudges, Depends(_judges)]


def _standing(session: Session, run: Run) -> StandingOut:
    assert run.segment_id is not None, "an external run has a segment"
    flush = stored_flush(session, run.segment_id)
    return StandingOut.model_validate(run).model_copy(update={"flush": flush})


def _check(session: Session, run: Run) -> None:
    halt_on = run.config.get("halt_on", [])
    if not isinstance(halt_on, list):
        raise InvalidConfig({"halt_on": f"must be a list of rules, got {shown(halt_on)}"})
    check_choice(session, preset_of(session, run), halt_on, facts_of(run))


@router.post("/external-runs", status_code=201)
def create(body: NewExternal, session: Writing, now: Now) -> StandingOut:
    """A run that trains elsewhere, running at once; `flush` is the last one stored of it."""
    run = external.create_external(session, body.name, body.config, body.token, body.host, now)
    _check(session, run)
    return _standing(session, run)


@router.post("/runs/{run_id}/points")
def store(run_id: RunId, body: Points, session: Writing, judges: Judges, now: Now) -> StandingOut:
    """Store points, each metric in the order of its steps, and judge them by the run's rules."""
    run = external.held(session, run_id, body.token)
    step = max((point[1] for point in body.points), default=0)
    episode = max((point[2] for point in body.points), default=0)
    external.report(session, run, step, episode, now)
    judges.receive(session, run, body.flush, body.points, now)
    return _standing(session, run)


@router.post("/runs/{run_id}/heartbeat")
def beat(run_id: RunId, body: Word, session: Writing, now: Now) -> StandingOut:
    """The trainer lives and has nothing to say."""
    run = external.held(session, run_id, body.token)
    external.report(session, run, 0, 0, now)
    return _standing(session, run)


@router.post("/runs/{run_id}/checkpoints", status_code=201)
def register(run_id: RunId, body: SavedFiles, session: Writing, now: Now) -> CheckpointOut:
    """Note files the trainer saved, so that they stand in the run's list and charts."""
    run = external.held(session, run_id, body.token)
    checkpoint = external.register_checkpoint(
        session, run, body.kind, body.path, body.bytes, body.sha256, body.step, now
    )
    return CheckpointOut.model_validate(checkpoint)


@router.post("/runs/{run_id}/end")
def end(run_id: RunId, body: End, session: Writing, judges: Judges, now: Now) -> StandingOut:
    """The trainer is done. 409 when the run had ended otherwise before."""
    run = external.held(session, run_id, body.token)
    if RunState(run.state).is_active:
        judges.close(session, run, now)
    run = external.end(session, run, RunState(body.state), body.reason, now)
    return _standing(session, run)
