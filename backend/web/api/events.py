"""What happened to a run, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.runs.events import list_events
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.api.schemas import EventOut
from backend.web.context import Reading

router = APIRouter(prefix="/runs/{run_id}/events", tags=["events"])


@router.get("")
def read_all(
    run_id: RunId,
    session: Reading,
    after: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="Only events with a larger id")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> list[EventOut]:
    """The newest events, oldest first."""
    get_run(session, run_id)
    return [EventOut.model_validate(event) for event in list_events(session, run_id, after, limit)]
