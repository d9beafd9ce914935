"""Logs in over HTTP."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from backend.web.context import AppDatabase, AppSettings, Now
from backend.web.uploads import SentLog, import_sent

router = APIRouter(prefix="/imports", tags=["imports"])
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "name": {"type": "string"},
                        "learning_starts": {"type": "integer"},
                    },
                }
            }
        },
    }
}


class ImportOut(BaseModel):
    """`new` is false when the same files had been imported before; `problems` are what was left out."""

    run_id: int
    points: int
    metrics: int
    new: bool
    problems: list[str]


@router.post("/tensorboard", status_code=201, openapi_extra=FORM)
def import_tensorboard(
    log: SentLog, response: Response, database: AppDatabase, settings: AppSettings, now: Now
) -> ImportOut:
    """A finished run of event files, or of one zip or tar of them; the same files again change nothing.

    200 when they had been imported before. 422 says what could be read and what not; nothing is half
    imported.
    """
    result = import_sent(database, log, settings.upload_limit, now)
    response.status_code = 201 if result.new else 200
    response.headers["Location"] = f"/api/v1/runs/{result.run_id}"
    return ImportOut.model_validate(result, from_attributes=True)
