"""Groups of runs over HTTP: listed, read, and stopped or resumed together."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from backend.runs import groups
from backend.runs.states import Action
from backend.web.api.runs import group_out, run_out
from backend.web.api.schemas import GroupOut, RunOut
from backend.web.context import Now, Reading, Writing

router = APIRouter(prefix="/groups", tags=["groups"])
GroupId = Annotated[int, Path(ge=1, le=groups.service.LARGEST_ID)]


@router.get("")
def read_all(session: Reading, now: Now) -> list[GroupOut]:
    """Groups with their runs, newest group first."""
    return [group_out(session, group, now) for group in groups.list_groups(session)]


@router.get("/{group_id}")
def read(group_id: GroupId, session: Reading, now: Now) -> GroupOut:
    return group_out(session, groups.get_group(session, group_id), now)


def _act(session: Session, group_id: int, action: Action, now: float) -> list[RunOut]:
    return [run_out(session, run, now) for run in groups.act_on_all(session, group_id, action, now)]


def _route(action: Action, meaning: str) -> None:
    def act(group_id: GroupId, session: Writing, now: Now) -> list[RunOut]:
        return _act(session, group_id, action, now)

    endpoint: Callable[..., list[RunOut]] = act
    router.add_api_route(
        f"/{{group_id}}/{action}",
        endpoint,
        methods=["POST"],
        name=f"{action}_group",
        description=f"{meaning}; answers with these runs, 409 when there is none.",
    )


_route(Action.HALT, "Halt every run that can be halted")
_route(Action.RESUME, "Resume every run that can be resumed")
_route(Action.CANCEL, "Cancel every run that can be cancelled")
