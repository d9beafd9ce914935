"""The verdict over HTTP: every rule as it stands, what flipped, and what people accepted."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from backend.gates import service
from backend.gates.choice import choose_rules
from backend.gates.passages import accept_gate, edit_gates, standing
from backend.gates.presets import PresetDraft, draft_preset
from backend.gates.storable import storable
from backend.gates.stored import backtest_run
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.api.schemas import (
    Accept,
    AcceptanceOut,
    AcceptGate,
    Acknowledge,
    ChooseRules,
    FlipOut,
    GatesOut,
    RowId,
    RuleOut,
    StepGateOut,
    StepGatesIn,
    WordOut,
)
from backend.web.context import Now, Reading, Writing
from backend.web.judgements import worst_first
from backend.web.ladders import gate_card

router = APIRouter(prefix="/runs/{run_id}/gates", tags=["gates"])


@router.get("")
def read(
    run_id: RunId, session: Reading, now: Now, flips: Annotated[int, Query(ge=0, le=1000)] = 100
) -> GatesOut:
    """The verdict with its evidence; the newest `flips` changes and words come first."""
    current = service.current(session, run_id, now)
    return GatesOut(
        verdict=current.verdict,
        sentence=current.sentence,
        since_step=current.since_step,
        judged_by=current.judged_by,
        rules=[RuleOut.model_validate(rule) for rule in worst_first(current.rules)],
        flips=[FlipOut.model_validate(flip) for flip in service.flips(session, run_id, flips)],
        accepted=[AcceptanceOut.model_validate(acceptance) for acceptance in current.accepted],
        words=_words(session, run_id, current),
        steps=_steps(session, run_id),
    )


def _words(session: Session, run_id: int, current: service.Current) -> list[WordOut]:
    counting = {row.id for row in current.accepted}
    return [
        WordOut(**AcceptanceOut.model_validate(row).model_dump(), counts=row.id in counting)
        for row in service.acceptances(session, run_id)
    ]


@router.put("/rules")
def choose(run_id: RunId, body: ChooseRules, session: Writing, now: Now) -> GatesOut:
    """Judge the run by another preset, or version of one, from now on; what was said before stays.

    A trainer under way takes it up within seconds and does what it asks; a run without one is judged
    again at once.
    """
    choose_rules(session, run_id, body.preset, body.person, now)
    session.flush()
    return read(run_id, session, now)


def _steps(session: Session, run_id: int) -> list[StepGateOut]:
    views = standing(session, get_run(session, run_id))
    return [StepGateOut.model_validate(gate_card(view)) for view in views]


@router.put("/steps")
def edit_steps(run_id: RunId, body: StepGatesIn, session: Writing, now: Now) -> list[StepGateOut]:
    """Give the run other gates at steps; a trainer under way takes them up within seconds."""
    edit_gates(session, run_id, body.gates, body.person, now, body.against)
    return _steps(session, run_id)


@router.post("/steps/{at}/accept", status_code=201)
def accept_step(
    run_id: RunId, at: RowId, body: AcceptGate, session: Writing, now: Now
) -> AcceptanceOut:
    """Accept what the gate at this step left to a person."""
    row = accept_gate(session, run_id, at, body.person, body.reason, now)
    return AcceptanceOut.model_validate(row)


@router.post("/{rule}/accept", status_code=201)
def accept(run_id: RunId, rule: str, body: Accept, session: Writing, now: Now) -> AcceptanceOut:
    """Accept the condition a rule at warning sets; who and why is kept beside what stood then."""
    row = service.accept(
        session,
        run_id,
        rule,
        body.person,
        body.reason,
        now,
        expires_step=body.expires_step,
        expires_at=body.expires_at,
    )
    session.flush()
    return AcceptanceOut.model_validate(row)


@router.post("/{rule}/acknowledge", status_code=201)
def acknowledge(
    run_id: RunId, rule: str, body: Acknowledge, session: Writing, now: Now
) -> AcceptanceOut:
    """Write down that a person has seen a rule alert; nothing is excused by it."""
    row = service.acknowledge(session, run_id, rule, body.person, body.remark, now)
    session.flush()
    return AcceptanceOut.model_validate(row)


@router.post("/backtest")
def try_thresholds(run_id: RunId, body: PresetDraft, session: Reading) -> dict[str, Any]:
    """Where each rule would have fired on this run under thresholds that are not saved yet.

    Judged by the code the worker judges with, over everything the run logged.
    """
    preset = draft_preset(body.model_dump(exclude_unset=True))
    cleaned: dict[str, Any] = storable(backtest_run(session, run_id, preset))
    return cleaned
