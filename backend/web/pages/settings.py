"""What this Pitwall is set to; settings come from the environment, so the page only shows them."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr

from backend.settings import Settings
from backend.web.context import AppSettings
from backend.web.templates import page

router = APIRouter()


@router.get("/settings")
def show(request: Request, settings: AppSettings) -> Response:
    rows = [
        (f"PITWALL_{name.upper()}", _shown(getattr(settings, name)), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return page(request, "settings.html", {"rows": rows})


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else "made at first start"
    return _without_password(str(value)) or "empty"


def _without_password(text: str) -> str:
    """Addresses of databases and brokers may carry one."""
    return re.sub(r"(?<=://)([^:/@]*):[^@/]*@", r"\1:***@", text)
