"""Commands as the trainer handles them: rows that wait for a step boundary."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.runs.models import Command
from backend.runs.states import CommandKind, CommandState

OPEN = (CommandState.PENDING, CommandState.TAKEN)


def open_commands(session: Session, run_id: int) -> Sequence[Command]:
    """Commands nobody has answered yet, oldest first."""
    query = select(Command).where(Command.run_id == run_id, Command.state.in_(OPEN))
    return session.scalars(query.order_by(Command.id)).all()


def take_command(session: Session, run_id: int) -> Command | None:
    """Mark the oldest pending command taken and return it; call it as the run's owner only."""
    pending = select(Command).where(Command.run_id == run_id, Command.state == CommandState.PENDING)
    command = session.scalars(pending.order_by(Command.id).limit(1)).first()
    if command is not None:
        command.state = CommandState.TAKEN
    return command


def complete_command(
    session: Session, command_id: int, state: CommandState, result: str, now: float
) -> None:
    """Answer a taken command; one that expired meanwhile stays expired."""
    session.execute(
        update(Command)
        .where(Command.id == command_id, Command.state == CommandState.TAKEN)
        .values(state=state, result=result, done_at=now)
    )


def complete_rollbacks(session: Session, run_id: int, result: str, now: float) -> None:
    """The run goes back: the rollback its trainer had taken is done."""
    session.execute(
        update(Command)
        .where(
            Command.run_id == run_id,
            Command.kind == CommandKind.ROLLBACK,
            Command.state == CommandState.TAKEN,
        )
        .values(state=CommandState.DONE, result=result, done_at=now)
    )


def expire_commands(session: Session, run_id: int, now: float) -> None:
    """The trainer has gone: what it had not answered, nobody will."""
    session.execute(
        update(Command)
        .where(Command.run_id == run_id, Command.state.in_(OPEN))
        .values(state=CommandState.EXPIRED, result="the trainer had ended before", done_at=now)
    )
