"""What happened to a run, one sentence a row; append-only."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.runs.models import Event, Run


class Level(StrEnum):
    """How much an event matters to a person."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def add_event(
    session: Session,
    run_id: int,
    level: str,
    kind: str,
    message: str,
    now: float,
    step: int | None = None,
    data: dict[str, Any] | None = None,
) -> Event:
    """Append an event at `step`, or at the step the run's row says."""
    run = session.get_one(Run, run_id)
    event = Event(
        run_id=run_id,
        segment_id=run.segment_id,
        step=run.step if step is None else step,
        level=Level(level),
        kind=kind,
        message=message,
        data=data or {},
        at=now,
    )
    session.add(event)
    return event


def list_events(
    session: Session, run_id: int, after_id: int = 0, limit: int = 200
) -> Sequence[Event]:
    """The newest `limit` events after `after_id`, oldest first."""
    newest = (
        select(Event)
        .where(Event.run_id == run_id, Event.id > after_id)
        .order_by(Event.id.desc())
        .limit(limit)
    )
    return list(reversed(session.scalars(newest).all()))
