"""What this Pitwall is set to; settings come from the environment, so the page only shows them."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from backend.errors import NotFound
from backend.notify.channels import KINDS, channels_of, kinds_of
from backend.notify.queue import enqueue_test
from backend.settings import Settings
from backend.web.context import AppSettings, Now, Reading, Writing
from backend.web.scenes import FLEET_SCENES
from backend.web.templates import page

router = APIRouter()


@router.get("/settings")
def show(request: Request, settings: AppSettings, session: Reading, now: Now) -> Response:
    rows = [
        (f"PITWALL_{name.upper()}", _shown(name, getattr(settings, name)), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    known = FLEET_SCENES["notifications"].read(session, {}, now)
    told = [KINDS[kind] for kind in kinds_of(settings)]
    more = {"rows": rows, "channels": channels_of(settings), "told": told}
    return page(request, "settings.html", {**known, **more})


@router.post("/settings/notify/{channel}/test")
def send_test(channel: str, settings: AppSettings, session: Writing, now: Now) -> Response:
    """Queue a test message; the page shows whether it arrived."""
    known = [found.name for found in channels_of(settings)]
    if channel not in known:
        choice = ", ".join(known) or "none is set up"
        raise NotFound(f"there is no channel '{channel}' here: {choice}")
    enqueue_test(session, channel, now)
    return RedirectResponse("/settings#notifications", 303)


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        unset = "made at first start" if name == "token" else "empty"
        return "set" if value.get_secret_value() else unset
    return _without_password(str(value)) or "empty"


def _without_password(text: str) -> str:
    """Addresses of databases and brokers may carry one."""
    return re.sub(r"(?<=://)([^:/@]*):[^@/]*@", r"\1:***@", text)
