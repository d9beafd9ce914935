"""How a ladder moves: its present stage is looked at, and what follows is done, once."""

import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import NotFound, PitwallError
from backend.gates import passages
from backend.gates.plan import parse_gates, save_plan
from backend.gates.presets import load_preset
from backend.gates.service import who_accepted
from backend.ladders.models import Ladder, LadderStage
from backend.ladders.parse import continued_stage
from backend.ladders.plan import (
    CONTINUE,
    Answer,
    Decision,
    LadderState,
    Move,
    Plan,
    Stage,
    StageState,
    Standing,
    decide,
)
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, extend_run, get_run
from backend.runs.states import RunState

log = logging.getLogger(__name__)


def advance_ladders(database: Database, now: float) -> list[int]:
    """Move on every ladder whose stage is over; the ladders moved.

    Many processes may call this at once: each looks first, and moves under the ladder's lock, so that
    no stage is started twice.
    """
    try:
        moving = select(Ladder).where(Ladder.state == LadderState.RUNNING).order_by(Ladder.id)
        with database.read() as session:
            ladders = session.scalars(moving).all()
            due = [ladder.id for ladder in ladders if _is_due(session, ladder, now)]
    except SQLAlchemyError as error:
        log.warning("the ladders wait for the database: %s", error)
        return []
    return [ladder_id for ladder_id in due if _advance_one(database, ladder_id, now)]


def _is_due(session: Session, ladder: Ladder, now: float) -> bool:
    try:
        return decision(session, ladder, now).move is not Move.WAIT
    except PitwallError as error:
        log.warning("ladder %s cannot be judged: %s", ladder.id, error)
        return False


def _advance_one(database: Database, ladder_id: int, now: float) -> bool:
    """One ladder that cannot move leaves the others alone."""
    try:
        with database.write() as session:
            return advance(session, ladder_id, now)
    except (PitwallError, SQLAlchemyError) as error:
        log.warning("ladder %s does not move: %s", ladder_id, error)
        return False


def advance(session: Session, ladder_id: int, now: float) -> bool:
    """Do what the present stage's run calls for; whether anything was done."""
    ladder = session.get_one(Ladder, ladder_id, with_for_update=True, populate_existing=True)
    if ladder.state != LadderState.RUNNING:
        return False
    stage, decided = present(session, ladder), decision(session, ladder, now)
    match decided.move:
        case Move.WAIT:
            return False
        case Move.EXTEND:
            run = run_of(session, stage)
            extend_run(session, run.id, decided.steps, now, "its gate")
            stage.reason = f"extended to {decided.steps:,} steps: {decided.reason}"
        case Move.ASK:
            _ask(session, ladder, stage, decided.reason, now)
        case Move.PASS:
            pass_stage(session, ladder, stage, decided.reason, now)
        case Move.STOP:
            stop(session, ladder, stage, decided.reason, now)
    return True


def decision(session: Session, ladder: Ladder, now: float) -> Decision:
    """What the ladder is to do next."""
    stage = present(session, ladder)
    if stage.run_id is None:
        return Decision(Move.STOP, "its run is gone")
    run = run_of(session, stage)
    over = RunState(run.state).is_over
    standing = Standing(
        state=run.state,
        desired=run.desired,
        reason=run.state_reason,
        total_steps=run.total_steps,
        verdict=run.verdict,
        sentence=run.verdict_sentence,
        accepted=who_accepted(session, run.id, now) if over else "",
        answers=answers(session, stage) if over else (),
    )
    return decide(stage_of(stage), standing)


def list_stages(session: Session, ladder_id: int) -> Sequence[LadderStage]:
    """In the order of the plan."""
    query = select(LadderStage).where(LadderStage.ladder_id == ladder_id)
    ordered = query.order_by(LadderStage.position).execution_options(populate_existing=True)
    return session.scalars(ordered).all()


def present(session: Session, ladder: Ladder) -> LadderStage:
    """The stage the ladder has come to."""
    return list_stages(session, ladder.id)[ladder.position]


def stage_of(row: LadderStage) -> Stage:
    return Stage(**row.plan)


def run_of(session: Session, stage: LadderStage) -> Run:
    """The stage's run.

    Raises:
        NotFound
    """
    if stage.run_id is None:
        raise NotFound(f"the run of stage '{stage.name}' is gone: stop the ladder")
    return get_run(session, stage.run_id)


def gate_views(session: Session, stage: LadderStage) -> list[passages.GateView]:
    """The gates its run has yet to pass or has passed in this stage."""
    run = run_of(session, stage)
    return [v for v in passages.standing(session, run) if v.gate.at <= run.total_steps]


def answers(session: Session, stage: LadderStage) -> list[Answer]:
    """What the stage's gates have said."""
    return [
        Answer(
            at=view.gate.at,
            outcome=view.outcome,
            reason=view.reason,
            extend_to=view.passage.extend_to if view.passage else None,
            accepted=view.acceptance is not None,
        )
        for view in gate_views(session, stage)
    ]


def start_stage(session: Session, ladder: Ladder, now: float) -> None:
    """Queue the run of the stage the ladder has come to, with the gates it is to pass."""
    stage = present(session, ladder)
    plan = stage_of(stage)
    if plan.start == CONTINUE:
        run = _continue(session, ladder, stage, plan, now)
    else:
        config = parse_config(plan.preset, plan.config)
        name = f"{ladder.name}: {stage.name}"[:120]
        run = create_run(session, name, plan.preset, config, now)
    stage.run_id, stage.state, stage.started_at = run.id, StageState.RUNNING, now
    gates = (
        load_preset(session, str(run.config["rules"])).gates
        if plan.gates == "rules"
        else parse_gates(plan.gates)
    )
    against = _named(session, ladder, plan.against).run_id if plan.against else None
    save_plan(session, run.id, gates, ladder.name, now, against)
    told = f"{ladder.name}: stage {stage.position + 1}, '{stage.name}', begins"
    tell(session, stage, Level.INFO, "stage", told, now)


def _continue(session: Session, ladder: Ladder, stage: LadderStage, plan: Stage, now: float) -> Run:
    rows = list_stages(session, ladder.id)
    whole = Plan(ladder.name, tuple(stage_of(row) for row in rows))
    before = _named(session, ladder, continued_stage(whole, stage.position))
    run, steps = run_of(session, before), int(plan.config["total_steps"])
    return extend_run(session, run.id, max(steps, run.total_steps + 1), now, ladder.name)


def _named(session: Session, ladder: Ladder, name: str) -> LadderStage:
    found = next((row for row in list_stages(session, ladder.id) if row.name == name), None)
    if found is None:
        raise NotFound(f"ladder {ladder.id} has no stage '{name}'")
    return found


def _ask(session: Session, ladder: Ladder, stage: LadderStage, reason: str, now: float) -> None:
    _record(session, stage)
    ladder.state, stage.state = LadderState.WAITING, StageState.WAITING
    stage.reason = reason
    ladder.reason = f"'{stage.name}' waits for a person's acceptance"
    told = f"{ladder.name}: stage '{stage.name}' waits for a person to accept it. {reason}"
    tell(session, stage, Level.WARNING, "ladder", told, now)


def pass_stage(
    session: Session, ladder: Ladder, stage: LadderStage, reason: str, now: float
) -> None:
    """The stage is done; the next begins, or the ladder has passed."""
    _record(session, stage)
    stage.state, stage.reason, stage.ended_at = StageState.PASSED, reason, now
    ladder.reason = ""
    if ladder.position + 1 == len(list_stages(session, ladder.id)):
        ladder.state, ladder.ended_at = LadderState.PASSED, now
        tell(session, stage, Level.INFO, "ladder", f"{ladder.name}: every stage has passed", now)
        return
    session.flush()
    ladder.position += 1
    session.flush()
    try:
        with session.begin_nested():
            start_stage(session, ladder, now)
    except PitwallError as error:
        following = present(session, ladder)
        stop(session, ladder, following, f"it cannot start: {error}", now)


def stop(
    session: Session,
    ladder: Ladder,
    stage: LadderStage,
    reason: str,
    now: float,
    level: Level = Level.CRITICAL,
) -> None:
    """No further stage begins."""
    _record(session, stage)
    ladder.state, stage.state = LadderState.STOPPED, StageState.STOPPED
    stage.reason, stage.ended_at = reason, now
    ladder.reason, ladder.ended_at = f"'{stage.name}': {reason}", now
    told = f"{ladder.name} stopped at '{stage.name}': {reason}"
    tell(session, stage, level, "ladder", told, now)
    session.flush()


def _record(session: Session, stage: LadderStage) -> None:
    """How the stage's run and gates stand now: the run may go on in a later stage."""
    if stage.run_id is None:
        return
    run = run_of(session, stage)
    stage.verdict, stage.step = run.verdict, run.step
    stage.answers = [
        {
            "at": view.gate.at,
            "outcome": view.outcome.value,
            "checks": view.passage.findings if view.passage else [],
            "accepted_by": view.acceptance.person if view.acceptance else "",
        }
        for view in gate_views(session, stage)
    ]


def tell(
    session: Session, stage: LadderStage, level: Level, kind: str, message: str, now: float
) -> None:
    """An event of the stage's run: its log, and whoever is notified, hear of it."""
    if stage.run_id is not None:
        add_event(session, stage.run_id, level, kind, message, now)
