"""Ladders over HTTP: start one from a plan, look at it, accept what it waits for, stop it."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.ladders import service
from backend.ladders.parse import parse_plan
from backend.runs.service import LARGEST_ID
from backend.web.api.schemas import FromRow, StepGateOut
from backend.web.context import Now, Reading, Writing
from backend.web.ladders import LadderView, StageView, ladder_view
from backend.yaml_text import read_yaml

router = APIRouter(prefix="/ladders", tags=["ladders"])
LadderId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Person = Annotated[str, Field(max_length=120)]
Reason = Annotated[str, Field(max_length=2000)]


class NewLadder(BaseModel):
    """A plan, as a document or as YAML, and who starts it."""

    model_config = ConfigDict(extra="forbid")

    plan: dict[str, Any] | str
    person: Person = ""


class Decided(BaseModel):
    """Who decides, and why."""

    model_config = ConfigDict(extra="forbid")

    person: Person = ""
    reason: Reason = ""


class StageOut(BaseModel):
    """A stage; `step` and `verdict` are its run's while it trains, and stay as they were at its end."""

    position: int
    name: str
    state: str
    reason: str
    run_id: int | None
    step: int
    verdict: str
    gates: list[StepGateOut]
    accepted_by: str
    accepted_reason: str
    accepted_at: float | None
    started_at: float | None
    ended_at: float | None
    plan: dict[str, Any]

    @classmethod
    def of(cls, stage: StageView) -> Self:
        row = stage.row
        live = stage.run is not None and stage.is_live
        return cls(
            position=row.position,
            name=row.name,
            state=row.state,
            reason=stage.hint or row.reason,
            run_id=row.run_id,
            step=stage.step,
            verdict=stage.run.verdict if live and stage.run else row.verdict,
            gates=[StepGateOut.model_validate(gate) for gate in stage.gates],
            accepted_by=row.accepted_by,
            accepted_reason=row.accepted_reason,
            accepted_at=row.accepted_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            plan=row.plan,
        )


class LadderOut(FromRow):
    """A ladder: running, waiting, passed or stopped; `position` is its present stage, from 0."""

    id: int
    name: str
    state: str
    reason: str
    position: int
    person: str
    created_at: float
    ended_at: float | None


class LadderDetail(LadderOut):
    """A ladder with its stages and the gates between them."""

    stages: list[StageOut]

    @classmethod
    def seen(cls, view: LadderView) -> Self:
        known = LadderOut.model_validate(view.ladder).model_dump()
        return cls(**known, stages=[StageOut.of(stage) for stage in view.stages])


@router.post("", status_code=201)
def start(body: NewLadder, response: Response, session: Writing, now: Now) -> LadderDetail:
    """Begin a ladder; nothing is created when a value is wrong (422 names field, value and remedy)."""
    values = read_yaml(body.plan) if isinstance(body.plan, str) else body.plan
    plan = parse_plan(session, values)
    ladder = service.start_ladder(session, plan, body.person, now)
    response.headers["Location"] = f"/api/v1/ladders/{ladder.id}"
    return LadderDetail.seen(ladder_view(session, ladder, now))


@router.get("")
def read_all(session: Reading) -> list[LadderOut]:
    """Newest first."""
    return [LadderOut.model_validate(ladder) for ladder in service.list_ladders(session)]


@router.get("/{ladder_id}")
def read(ladder_id: LadderId, session: Reading, now: Now) -> LadderDetail:
    ladder = service.get_ladder(session, ladder_id)
    return LadderDetail.seen(ladder_view(session, ladder, now))


@router.post("/{ladder_id}/accept")
def accept(ladder_id: LadderId, body: Decided, session: Writing, now: Now) -> LadderDetail:
    """Let the stage that waits pass; a named person says why."""
    ladder = service.accept(session, ladder_id, body.person, body.reason, now)
    return LadderDetail.seen(ladder_view(session, ladder, now))


@router.post("/{ladder_id}/stop")
def stop(ladder_id: LadderId, body: Decided, session: Writing, now: Now) -> LadderDetail:
    """Start no further stage; the run under way halts after a checkpoint."""
    ladder = service.stop_ladder(session, ladder_id, body.person, body.reason, now)
    return LadderDetail.seen(ladder_view(session, ladder, now))
