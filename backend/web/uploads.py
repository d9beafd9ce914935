"""Uploads over HTTP: a TensorBoard log comes in as a multipart form, bounded before a byte of it is read."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from backend.database import Database
from backend.errors import InvalidConfig, PitwallError
from backend.runs.service import LARGEST_ID

if TYPE_CHECKING:
    from backend.tensorboard.importer import ImportResult

MOST_FILES = 1000
FORM = 1 << 16


class Log:
    """A form that was sent: its files, a name for the run, and the step learning starts at."""

    def __init__(self, files: Sequence[UploadFile], name: str, learning_starts: str) -> None:
        if not files:
            raise InvalidConfig({"files": "none was sent: choose the event files of one log"})
        self.files = files
        self.name = name.strip()
        self.learning_starts = _step(learning_starts.strip())


def _step(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 10 or int(text) > LARGEST_ID:
        raise InvalidConfig({"learning_starts": f"must be a step such as 1000, got '{text[:40]}'"})
    return int(text)


class Refused(PitwallError):
    """An upload that is too large, or does not say how large it is."""

    title = "Upload refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _log(request: Request) -> AsyncIterator[Log]:
    limit = request.app.state.settings.upload_limit
    told = request.headers.get("content-length", "")
    if not told.isdecimal():
        raise Refused(411, "an upload must say how long it is: send Content-Length")
    if int(told) > limit + FORM:
        raise Refused(
            413,
            f"{int(told) / 1e6:,.0f} MB are more than the {limit / 1e6:,.0f} MB an upload may have: use "
            "`pitwall import tensorboard` on the machine, or raise PITWALL_UPLOAD_LIMIT",
        )
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=10)
    except HTTPException as error:
        raise Refused(422, f"the form cannot be read: {error.detail}") from error
    try:
        # A file input nobody touched sends one file without a name.
        files = [f for f in form.getlist("files") if isinstance(f, UploadFile) and f.filename]
        texts = [form.get(name, "") for name in ("name", "learning_starts")]
        name, starts = (text if isinstance(text, str) else "" for text in texts)
        yield Log(files, name, starts)
    finally:
        await form.close()


SentLog = Annotated[Log, Depends(_log)]


def import_sent(database: Database, log: Log, limit: int, now: float) -> "ImportResult":
    """Make a run of it, all or nothing; what was unpacked is gone afterwards.

    Raises:
        UnreadableLog: with what was read and what was not.
    """
    # 30 MB that a server nobody uploads to does without.
    from backend.tensorboard.importer import import_tensorboard
    from backend.tensorboard.uploads import Upload, lay_out

    folder = Path(tempfile.mkdtemp(prefix="pitwall-upload-"))
    try:
        sent = sorted(log.files, key=lambda file: file.filename or "")
        uploads = [Upload(file.filename or "", file.file) for file in sent]
        layout = lay_out(uploads, folder, limit)
        name = log.name or layout.name
        result = import_tensorboard(database, layout.folder, name, log.learning_starts, now)
        return replace(result, problems=[*layout.notes, *result.problems])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
