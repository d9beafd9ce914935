"""Recorded evaluations of a run over HTTP: the ways driven, and films."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from backend.errors import NotFound
from backend.runs import recordings
from backend.runs.recordings import RecordedEvaluation
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.context import AppSettings, Reading

router = APIRouter(prefix="/runs/{run_id}/recordings", tags=["recordings"])
Name = Annotated[str, Path(max_length=60)]


@router.get("")
def read_all(run_id: RunId, session: Reading, settings: AppSettings) -> list[str]:
    """Names of what is kept, newest first."""
    get_run(session, run_id)
    folder = recordings.recordings_folder(settings.snapshots_folder, run_id)
    return recordings.recording_names(folder)


@router.get("/{name}")
def read_one(
    run_id: RunId, name: Name, session: Reading, settings: AppSettings
) -> RecordedEvaluation:
    """Every episode of an evaluation from above, and which of them were filmed."""
    get_run(session, run_id)
    found = recordings.read_recording(settings.snapshots_folder, run_id, name)
    if found is None:
        raise NotFound(
            f"run {run_id} has no recording {name}: the newest {recordings.KEPT} are kept"
        )
    return found


@router.get(
    "/films/{name}",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}},
)
def read_film(run_id: RunId, name: Name, session: Reading, settings: AppSettings) -> Response:
    """A film (animated WebP in simulated time) or, with `-poster` before its ending, its last frame."""
    get_run(session, run_id)
    film = recordings.read_film(settings.snapshots_folder, run_id, name)
    if film is None:
        raise NotFound(f"run {run_id} has no film {name}: films of old evaluations are removed")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(film, media_type="image/webp", headers=headers)
