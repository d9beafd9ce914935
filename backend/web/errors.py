"""Every error as RFC 9457 problem JSON, or as a page when a browser asks."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from backend.errors import PitwallError, Unauthenticated
from backend.refusals import in_words
from backend.web.templates import page

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    app.add_exception_handler(PitwallError, _pitwall_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OperationalError, _database_error)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    request: Request, status: int, title: str, detail: str, fields: dict[str, str] | None = None
) -> Response:
    """The error as a page if a person's browser asked for one, else as problem JSON."""
    if wants_page(request):
        context = {"status": status, "title": title, "detail": detail}
        return page(request, "error.html", context, status)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": _printable(detail),
        "instance": _printable(request.url.path),
    }
    if fields:
        body["fields"] = {_printable(name): _printable(text) for name, text in fields.items()}
    return JSONResponse(body, status, media_type="application/problem+json")


def _printable(text: str) -> str:
    """Half of a surrogate pair, which JSON may hold, has no place in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )


def pitwall_problem(request: Request, error: PitwallError) -> Response:
    if isinstance(error, Unauthenticated):
        return _sign_in(request, error)
    return problem(request, error.status, error.title, str(error), getattr(error, "fields", None))


def _sign_in(request: Request, error: Unauthenticated) -> Response:
    if wants_page(request):
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        next_page = target if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={quote(next_page)}", 303)
    response = problem(request, error.status, error.title, str(error))
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _pitwall_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PitwallError)
    return pitwall_problem(request, error)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = dict(_field_problem(detail) for detail in error.errors())
    detail = "; ".join(f"{name}: {text}" for name, text in fields.items())
    return problem(request, 422, "Invalid request", detail, fields)


def _field_problem(detail: Mapping[str, Any]) -> tuple[str, str]:
    if detail["type"] == "json_invalid":
        return "body", f"it is not JSON ({detail['ctx']['error']}): send a JSON object"
    name = ".".join(str(part) for part in detail["loc"][1:]) or "body"
    return name, in_words(detail)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == title and error.status_code == 404:
        detail = f"There is nothing at {request.url.path}: check the address or go to the runs at /"
    response = problem(request, error.status_code, title, detail)
    response.headers.update(error.headers or {})
    return response


def _database_error(request: Request, error: Exception) -> Response:
    log.warning("database does not answer: %s", error)
    response = problem(
        request,
        503,
        "Database does not answer",
        "Training goes on: trainers keep their points and catch up. Try again in a few seconds.",
    )
    response.headers["Retry-After"] = "5"
    return response


def _unexpected(request: Request, error: Exception) -> Response:
    return problem(
        request,
        500,
        "Internal error",
        f"{type(error).__name__} in the dashboard, not in the run: its log has the traceback",
    )
