"""Groups of runs: started in one request, looked at and stopped together."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.errors import IllegalTransition, NotFound
from backend.runs import service
from backend.runs.matrix import Cell
from backend.runs.models import Run, RunGroup
from backend.runs.states import Action

LONGEST_NAME = 120
REQUESTS = {
    Action.HALT: service.request_halt,
    Action.RESUME: service.request_resume,
    Action.CANCEL: service.request_cancel,
}


def create_group(
    session: Session,
    name: str,
    preset: str,
    cells: Sequence[Cell],
    plan: Mapping[str, Any],
    now: float,
) -> RunGroup:
    """A run for every cell, queued in their order; `plan` is kept as it was asked."""
    group = RunGroup(name=name.strip(), preset=preset, plan=dict(plan), created_at=now)
    session.add(group)
    session.flush()
    group.name = group.name or f"{preset}-group-{group.id}"
    for cell in cells:
        tail = f" / {cell.variant} / seed {cell.seed}"
        run_name = group.name[: LONGEST_NAME - len(tail)] + tail
        service.create_run(session, run_name, preset, cell.config, now, group.id, cell.variant)
    return group


def get_group(session: Session, group_id: int) -> RunGroup:
    """Raises NotFound."""
    group = session.get(RunGroup, group_id) if group_id <= service.LARGEST_ID else None
    if group is None:
        raise NotFound(f"there is no group {group_id}: the runs at / name theirs")
    return group


def list_groups(session: Session, limit: int = 100) -> Sequence[RunGroup]:
    """Newest first."""
    return session.scalars(select(RunGroup).order_by(RunGroup.id.desc()).limit(limit)).all()


def members(session: Session, group_id: int) -> Sequence[Run]:
    """The group's runs in the order they were queued."""
    query = select(Run).where(Run.group_id == group_id).order_by(Run.id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def sizes(session: Session, group_ids: Sequence[int]) -> dict[int, int]:
    """How many runs each group has."""
    query = (
        select(Run.group_id, func.count()).where(Run.group_id.in_(group_ids)).group_by(Run.group_id)
    )
    return {group_id: count for group_id, count in session.execute(query) if group_id}


def act_on_all(
    session: Session, group_id: int, action: Action, now: float, by: str = "a person"
) -> list[Run]:
    """Ask it of every run that can; returns these.

    Raises:
        NotFound
        IllegalTransition: none can.
    """
    get_group(session, group_id)
    able = [run.id for run in members(session, group_id) if action in run.actions]
    if not able:
        raise IllegalTransition(
            f"no run of group {group_id} can {action} now: their states say what each can"
        )
    return [REQUESTS[action](session, run_id, now, by) for run_id in able]
