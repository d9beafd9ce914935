"""A run's checkpoints over HTTP."""

from fastapi import APIRouter

from backend.checkpoints import service
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.api.schemas import CheckpointOut, Pin
from backend.web.context import Reading, Writing

router = APIRouter(prefix="/runs/{run_id}/checkpoints", tags=["checkpoints"])


@router.get("")
def read_all(run_id: RunId, session: Reading) -> list[CheckpointOut]:
    """Checkpoints whose files are there, newest first."""
    get_run(session, run_id)
    return [CheckpointOut.model_validate(c) for c in service.list_checkpoints(session, run_id)]


@router.post("/{checkpoint_id}/pin")
def pin(run_id: RunId, checkpoint_id: RunId, body: Pin, session: Writing) -> CheckpointOut:
    """Keep a checkpoint from retention, or hand it back."""
    get_run(session, run_id)
    checkpoint = service.pin(session, run_id, checkpoint_id, body.pinned)
    return CheckpointOut.model_validate(checkpoint)
