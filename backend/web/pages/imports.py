"""The page that takes a TensorBoard log in."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from backend.errors import PitwallError
from backend.web.context import AppDatabase, AppSettings, Now
from backend.web.templates import page
from backend.web.uploads import SentLog, import_sent

router = APIRouter(prefix="/runs/import")


@router.get("")
def show(request: Request, settings: AppSettings) -> Response:
    return page(
        request, "import.html", {"limit": settings.upload_limit, "problem": "", "log": None}
    )


@router.post("")
def take(
    request: Request, log: SentLog, database: AppDatabase, settings: AppSettings, now: Now
) -> Response:
    """303 to the run, or the form again with what could be read and what not."""
    try:
        result = import_sent(database, log, settings.upload_limit, now)
    except PitwallError as error:
        context = {"limit": settings.upload_limit, "problem": str(error), "log": log}
        return page(request, "import.html", context, error.status)
    return RedirectResponse(f"/runs/{result.run_id}", 303)
