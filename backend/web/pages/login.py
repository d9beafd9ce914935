"""Signing in: by the printed link, which works once, or by pasting the token."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from backend.web.context import Now
from backend.web.security import SignIn, start_session
from backend.web.templates import page

router = APIRouter()


def _local(target: str) -> str:
    """Only a path of ours: `//elsewhere` and `https://elsewhere` would take people away."""
    parts = urlsplit(target)
    ours = target.startswith("/") and not (parts.scheme or parts.netloc) and "\\" not in target
    return target if ours else "/"


def _welcome(request: Request, tickets: SignIn, target: str, now: float) -> Response:
    response = RedirectResponse(_local(target), 303)
    start_session(request, response, tickets, now)
    return response


def _form(request: Request, target: str, problem: str = "", status: int = 200) -> Response:
    context = {"next_page": _local(target), "problem": problem}
    return page(request, "login.html", context, status)


@router.get("/login")
def show(request: Request, tickets: SignIn, now: Now, token: str = "", next: str = "/") -> Response:
    if not token:
        return _form(request, next)
    if tickets.is_token(token) or tickets.spend(token, now):
        return _welcome(request, tickets, next, now)
    problem = "This link has been used or is older than an hour. Paste the access token instead."
    return _form(request, next, problem, 401)


@router.post("/login")
def sign_in(
    request: Request,
    tickets: SignIn,
    now: Now,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    if tickets.is_token(token.strip()):
        return _welcome(request, tickets, next, now)
    return _form(
        request, next, "This is not the access token. Copy it as `pitwall up` printed it.", 401
    )


@router.post("/logout")
def sign_out(tickets: SignIn) -> Response:
    response = RedirectResponse("/login", 303)
    response.delete_cookie(tickets.cookie)
    return response
