"""Ladders as people use them: begin one, look at it, accept what it waits for, stop it."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import IllegalTransition, NotFound
from backend.gates import passages
from backend.ladders import climbing
from backend.ladders.models import Ladder, LadderStage
from backend.ladders.plan import LadderState, Plan, StageState
from backend.rules.gate import Outcome
from backend.runs.events import Level
from backend.runs.service import LARGEST_ID, get_run, request_halt
from backend.runs.states import Action, Desired


def start_ladder(session: Session, plan: Plan, person: str, now: float) -> Ladder:
    """Begin a checked plan: the run of its first stage is queued at once."""
    ladder = Ladder(
        name=plan.name, state=LadderState.RUNNING, person=person.strip(), created_at=now
    )
    session.add(ladder)
    session.flush()
    for position, stage in enumerate(plan.stages):
        row = LadderStage(
            ladder_id=ladder.id,
            position=position,
            name=stage.name,
            plan=asdict(stage),
            state=StageState.PENDING,
        )
        session.add(row)
    session.flush()
    climbing.start_stage(session, ladder, now)
    return ladder


def get_ladder(session: Session, ladder_id: int) -> Ladder:
    """The ladder as the database has it now.

    Raises:
        NotFound
    """
    known = ladder_id <= LARGEST_ID
    found = session.get(Ladder, ladder_id, populate_existing=True) if known else None
    if found is None:
        raise NotFound(f"there is no ladder {ladder_id}")
    return found


def list_ladders(session: Session, limit: int = 200) -> Sequence[Ladder]:
    """Newest first."""
    query = select(Ladder).order_by(Ladder.id.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def ladder_of_run(session: Session, run_id: int) -> Ladder | None:
    """The newest ladder that trains this run, for the run's page to link to."""
    query = (
        select(Ladder)
        .join(LadderStage, LadderStage.ladder_id == Ladder.id)
        .where(LadderStage.run_id == run_id)
        .order_by(Ladder.id.desc())
    )
    return session.scalars(query.limit(1)).first()


def accept(session: Session, ladder_id: int, person: str, reason: str, now: float) -> Ladder:
    """A named person lets the waiting stage pass; its gates' conditions are accepted with it.

    Raises:
        NotFound: there is no such ladder.
        IllegalTransition: it does not wait for anybody.
        InvalidConfig: nobody or no reason is named.
    """
    passages.check_person(person, reason)
    ladder = lock_ladder(session, ladder_id)
    if ladder.state != LadderState.WAITING:
        raise IllegalTransition(
            f"ladder {ladder_id} is {ladder.state}: only one that waits can be accepted"
        )
    stage = climbing.present(session, ladder)
    for answer in climbing.answers(session, stage):
        if answer.outcome == Outcome.CONDITIONAL and not answer.accepted:
            run_id = climbing.run_of(session, stage).id
            passages.accept_gate(session, run_id, answer.at, person, reason, now)
    stage.accepted_by, stage.accepted_reason = person.strip(), reason.strip()
    stage.accepted_at = now
    told = f"{ladder.name}: stage '{stage.name}' accepted by {stage.accepted_by}: {stage.accepted_reason}"
    climbing.tell(session, stage, Level.INFO, "accepted", told, now)
    ladder.state = LadderState.RUNNING
    climbing.pass_stage(session, ladder, stage, stage.reason, now)
    return ladder


def stop_ladder(session: Session, ladder_id: int, person: str, reason: str, now: float) -> Ladder:
    """Start no further stage; the run under way is halted after a checkpoint.

    Raises:
        NotFound: there is no such ladder.
        IllegalTransition: it is over.
    """
    ladder = lock_ladder(session, ladder_id)
    if LadderState(ladder.state).is_over:
        raise IllegalTransition(f"ladder {ladder_id} is {ladder.state}: there is nothing to stop")
    stage = climbing.present(session, ladder)
    by = person.strip() or "a person"
    run = get_run(session, stage.run_id) if stage.run_id else None
    if run and run.desired == Desired.RUN and Action.HALT in run.actions:
        request_halt(session, run.id, now, by=f"{by}, who stopped the ladder")
    why = f"stopped by {by}" + (f": {reason.strip()}" if reason.strip() else "")
    climbing.stop(session, ladder, stage, why, now, Level.INFO)
    return ladder


def lock_ladder(session: Session, ladder_id: int) -> Ladder:
    """The row, held until the transaction ends; on SQLite a write session is the only writer.

    Raises:
        NotFound
    """
    get_ladder(session, ladder_id)
    return session.get_one(Ladder, ladder_id, with_for_update=True, populate_existing=True)
