"""The page that asks whether a run shall go for good, and what then goes with it."""

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import RedirectResponse, Response

from backend.checkpoints.service import list_checkpoints
from backend.metrics.deletion import count_points, delete_run
from backend.web.api.runs import RunId
from backend.web.context import AppDatabase, AppSettings, Now, Reading
from backend.web.scenes import read_run
from backend.web.templates import page

router = APIRouter(prefix="/runs/{run_id}/delete")


@router.get("")
def ask(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    """What would be gone; the page a script shows as a dialog."""
    context = read_run(session, {"run": str(run_id)}, now)
    checkpoints = list_checkpoints(session, run_id)
    more = {"points": count_points(session, run_id), "saved": checkpoints, "scene": "charts"}
    return page(request, "delete.html", {**context, **more})


@router.post("")
def delete(
    run_id: RunId, database: AppDatabase, settings: AppSettings, after: BackgroundTasks
) -> Response:
    delete_run(database, run_id, settings.folders_of(run_id))
    after.add_task(database.reclaim)
    return RedirectResponse("/", 303)
