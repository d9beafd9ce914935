"""What people and rules ask of a run: create it, look at it, halt, resume, cancel, save, roll back."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.checkpoints.service import get_checkpoint
from backend.errors import IllegalTransition, NotFound
from backend.runs.config import RunConfig
from backend.runs.events import Level, add_event
from backend.runs.models import Command, Run, Segment
from backend.runs.states import Action, CommandKind, CommandState, Desired, RunState

# PostgreSQL's INTEGER; a larger number names nothing.
LARGEST_ID = 2**31 - 1


def create_run(
    session: Session,
    name: str,
    preset: str,
    config: RunConfig,
    now: float,
    group_id: int | None = None,
    variant: str = "",
) -> Run:
    """A new run, queued. Without a name it is called after its preset and number."""
    run = Run(
        name=name.strip(),
        preset=preset,
        config=config.model_dump(mode="json"),
        config_hash=config.hash,
        reward_fingerprint=config.reward_fingerprint,
        group_id=group_id,
        variant=variant,
        state=RunState.QUEUED,
        desired=Desired.RUN,
        total_steps=config.total_steps,
        created_at=now,
    )
    session.add(run)
    session.flush()
    run.name = run.name or f"{preset}-{run.id}"
    add_event(session, run.id, Level.INFO, "created", f"Created from the preset {preset}", now)
    return run


def get_run(session: Session, run_id: int) -> Run:
    """The run as the database has it now.

    Raises:
        NotFound
    """
    run = session.get(Run, run_id, populate_existing=True) if run_id <= LARGEST_ID else None
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


def list_runs(
    session: Session,
    states: Collection[RunState] = (),
    limit: int = 500,
    group_id: int | None = None,
) -> Sequence[Run]:
    """Newest first; `states` and `group_id` narrow them."""
    query = select(Run).order_by(Run.id.desc()).limit(limit)
    if group_id is not None:
        query = query.where(Run.group_id == group_id)
    if states:
        query = query.where(Run.state.in_(states))
    return session.scalars(query.execution_options(populate_existing=True)).all()


def list_segments(session: Session, run_id: int) -> Sequence[Segment]:
    """The run's segments in the order they were opened."""
    query = select(Segment).where(Segment.run_id == run_id).order_by(Segment.number)
    return session.scalars(query).all()


def interrupted_on(session: Session, worker: str) -> bool:
    """Whether a run that crashed or was rolled back on this worker waits to go on there.

    Its slot is kept for it through its back-off: days of training do not queue behind a new run.
    """
    query = select(Run.id).where(
        Run.state == RunState.QUEUED,
        Run.desired == Desired.RUN,
        Run.worker == worker,
        Run.attempt > 0,
    )
    return session.scalar(query.limit(1)) is not None


def list_commands(session: Session, run_id: int, limit: int = 50) -> Sequence[Command]:
    """What was asked of the run's trainers, newest first."""
    query = select(Command).where(Command.run_id == run_id).order_by(Command.id.desc()).limit(limit)
    return session.scalars(query).all()


def request_halt(session: Session, run_id: int, now: float, by: str = "a person") -> Run:
    """Stop after a checkpoint; a queued run halts at once."""
    return _stop(session, run_id, Action.HALT, now, by)


def request_cancel(session: Session, run_id: int, now: float, by: str = "a person") -> Run:
    """Stop for good; nobody can resume the run afterwards."""
    return _stop(session, run_id, Action.CANCEL, now, by)


def request_resume(session: Session, run_id: int, now: float, by: str = "a person") -> Run:
    """Queue a halted or failed run again from its last checkpoint."""
    run = _allowed(session, run_id, Action.RESUME)
    _queue(run, "resume")
    add_event(session, run_id, Level.INFO, "resume", f"Resume asked by {by}", now)
    return run


def request_checkpoint(session: Session, run_id: int, now: float, by: str = "a person") -> Command:
    """Ask the trainer for a checkpoint at its next step boundary."""
    run = _allowed(session, run_id, Action.CHECKPOINT)
    add_event(session, run_id, Level.INFO, "checkpoint", f"Checkpoint asked by {by}", now)
    return _command(session, run, CommandKind.CHECKPOINT, {}, now)


def request_rollback(
    session: Session, run_id: int, checkpoint_id: int, now: float, by: str = "a person"
) -> Run:
    """Go back to a checkpoint: a running trainer is told to, any other run is queued from there.

    Raises:
        NotFound: the run has no such checkpoint, or its files are gone.
    """
    run = _allowed(session, run_id, Action.ROLLBACK)
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    if run.state == RunState.RUNNING:
        argument = {"checkpoint_id": checkpoint_id}
        _command(session, run, CommandKind.ROLLBACK, argument, now)
    else:
        run.resume_checkpoint_id = checkpoint_id
        _queue(run, "rollback")
    message = f"Roll back to checkpoint {checkpoint_id} (step {checkpoint.step:,}) asked by {by}"
    add_event(session, run_id, Level.INFO, "rollback", message, now)
    return run


def extend_run(
    session: Session, run_id: int, total_steps: int, now: float, by: str = "a person"
) -> Run:
    """Queue a finished or halted run again from its last checkpoint, to go on to `total_steps`.

    Raises:
        IllegalTransition: it is under way or ended for good, has no checkpoint, or has come as far.
    """
    run = lock_run(session, run_id)
    if run.state not in (RunState.FINISHED, RunState.HALTED) or not run.is_native:
        raise IllegalTransition(f"run {run_id} is {run.state}: only a finished one can be extended")
    if run.resume_checkpoint_id is None:
        raise IllegalTransition(f"run {run_id} has no checkpoint to go on from: start it anew")
    if total_steps <= run.total_steps:
        raise IllegalTransition(
            f"run {run_id} has {run.total_steps:,} steps already: extend it to more than that"
        )
    config = RunConfig.model_validate({**run.config, "total_steps": total_steps})
    run.config, run.config_hash = config.model_dump(mode="json"), config.hash
    run.total_steps = total_steps
    _queue(run, "extend")
    message = f"Extended to {total_steps:,} steps by {by}"
    add_event(session, run_id, Level.INFO, "extend", message, now)
    return run


def note_waiting(session: Session, run_id: int, reason: str) -> None:
    """Why a queued run is not taken yet, for people to read; a run in any other state is left alone."""
    session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.QUEUED)
        .values(state_reason=reason)
    )


def lock_run(session: Session, run_id: int) -> Run:
    """The run's row, held until the transaction ends: what is read cannot change before it is written.

    PostgreSQL locks the row; on SQLite a write session already is the only writer.
    """
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


def _allowed(session: Session, run_id: int, action: Action) -> Run:
    run = lock_run(session, run_id)
    if action not in run.actions:
        choice = ", ".join(run.actions) or "nothing"
        raise IllegalTransition(
            f"run {run_id} is {run.state}, it cannot {action} now: possible is {choice}"
        )
    return run


def _stop(session: Session, run_id: int, action: Action, now: float, by: str) -> Run:
    run = _allowed(session, run_id, action)
    run.desired, run.state_reason = Desired(action.value), f"{action} asked by {by}"
    if not RunState(run.state).is_active:
        run.state = RunState.HALTED if action is Action.HALT else RunState.CANCELLED
        run.ended_at = now
    add_event(session, run_id, Level.INFO, action.value, f"{action.title()} asked by {by}", now)
    return run


def _queue(run: Run, reason: str) -> None:
    run.state, run.desired = RunState.QUEUED, Desired.RUN
    run.restart_reason, run.state_reason = reason, ""
    run.crashes, run.not_before, run.ended_at = 0, 0.0, None


def _command(
    session: Session, run: Run, kind: CommandKind, argument: dict[str, Any], now: float
) -> Command:
    command = Command(
        run_id=run.id, kind=kind, argument=argument, state=CommandState.PENDING, created_at=now
    )
    session.add(command)
    session.flush()
    return command
