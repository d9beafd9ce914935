"""The last picture and trace of a run's driving over HTTP."""

from fastapi import APIRouter
from fastapi.responses import Response

from backend.errors import NotFound
from backend.runs import snapshots
from backend.runs.service import get_run
from backend.runs.snapshots import Trace
from backend.web.api.runs import RunId
from backend.web.context import AppSettings, Reading

router = APIRouter(prefix="/runs/{run_id}", tags=["snapshots"])


@router.get("/frame", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def read_frame(run_id: RunId, session: Reading, settings: AppSettings) -> Response:
    """What the camera rendered, beside the newest gray 84x84 frame the network got."""
    get_run(session, run_id)
    frame = snapshots.read_frame(settings.snapshots_folder, run_id)
    if frame is None:
        raise NotFound(
            f"run {run_id} has no picture: it has no camera, or has not driven a training episode yet"
        )
    return Response(frame, media_type="image/webp", headers={"Cache-Control": "no-store"})


@router.get("/trace")
def read_trace(run_id: RunId, session: Reading, settings: AppSettings) -> Trace:
    """The episode from above, at most two seconds of driving old: the route, the way driven, the car."""
    get_run(session, run_id)
    trace = snapshots.read_trace(settings.snapshots_folder, run_id)
    if trace is None:
        raise NotFound(
            f"run {run_id} has no trace: it has no road, or has not driven a training episode yet"
        )
    return trace
