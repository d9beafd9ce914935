"""What the buttons of a run post to: the same services as the API, answered with a redirect."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from backend.checkpoints.service import get_checkpoint, pin
from backend.runs import service
from backend.web.api.runs import RunId
from backend.web.api.schemas import RowId
from backend.web.context import Now, Writing

router = APIRouter()
REQUESTS: dict[str, Callable[[Session, int, float], Any]] = {
    "halt": service.request_halt,
    "cancel": service.request_cancel,
    "resume": service.request_resume,
    "checkpoint": service.request_checkpoint,
}


def _route(action: str, ask: Callable[[Session, int, float], Any]) -> None:
    def act(run_id: RunId, session: Writing, now: Now) -> Response:
        ask(session, run_id, now)
        return RedirectResponse(f"/runs/{run_id}", 303)

    router.add_api_route(f"/runs/{{run_id}}/{action}", act, methods=["POST"], name=action)


for _action, _ask in REQUESTS.items():
    _route(_action, _ask)


@router.post("/runs/{run_id}/rollback")
def roll_back(
    run_id: RunId, checkpoint_id: Annotated[RowId, Form()], session: Writing, now: Now
) -> Response:
    service.request_rollback(session, run_id, checkpoint_id, now)
    return RedirectResponse(f"/runs/{run_id}", 303)


@router.post("/runs/{run_id}/checkpoints/{checkpoint_id}/pin")
def switch_pin(run_id: RunId, checkpoint_id: RunId, session: Writing) -> Response:
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    pin(session, run_id, checkpoint_id, not checkpoint.pinned)
    return RedirectResponse(f"/runs/{run_id}/checkpoints", 303)
