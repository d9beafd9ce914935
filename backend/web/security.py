"""Who may talk to the dashboard: host, token or session, origin; and the headers that keep a page in."""

import time
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import Forbidden, PitwallError, Unauthenticated, shown
from backend.web.errors import pitwall_problem
from backend.web.tickets import TicketKind, Tickets

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PUBLIC_PATHS = ("/healthz", "/login", "/static/", "/vendor/", "/favicon.ico")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    # Plotly writes its few rules into a style element, hence style-src; scripts stay ours alone.
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware in front of everything: nothing behind it runs for a stranger."""

    def __init__(self, app: ASGIApp, tickets: Tickets, host: str) -> None:
        self.app = app
        self.tickets = tickets
        self.loopback_only = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no page of ours opens a web socket

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        answer: ASGIApp = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        try:
            self._check_host(request)
            self._check_origin(request)
            if not request.url.path.startswith(PUBLIC_PATHS):
                self._check_signed_in(request)
        except PitwallError as error:
            return pitwall_problem(request, error)
        return None

    def _check_host(self, request: Request) -> None:
        """A page elsewhere may point its own name at 127.0.0.1 (DNS rebinding); its Host betrays it."""
        host = request.headers.get("host", "")
        if self.loopback_only and _parts(f"//{host}").hostname not in LOOPBACK:
            raise Forbidden(
                f"host '{host}' is not this machine: open http://127.0.0.1, "
                "or start with PITWALL_HOST set to serve other hosts"
            )

    def _check_origin(self, request: Request) -> None:
        if request.method in SAFE_METHODS:
            return
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        foreign = origin is not None and _parts(origin).netloc != request.headers.get("host")
        if foreign or site not in ("same-origin", "none"):
            raise Forbidden(
                f"a {request.method} from another site ({origin or site}) is refused: "
                "act from the dashboard's own pages, or send the token as a Bearer"
            )

    def _check_signed_in(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.tickets.is_token(token.strip()):
            return
        session = request.cookies.get(self.tickets.cookie, "")
        if not self.tickets.is_valid(TicketKind.SESSION, session, time.time()):
            raise Unauthenticated(
                "open the link `pitwall up` printed, or send its token as `Authorization: Bearer`"
            )


def _parts(address: str) -> SplitResult:
    """
    Raises:
        Forbidden: it is no address.
    """
    try:
        return urlsplit(address)
    except ValueError:
        raise Forbidden(f"{shown(address)} is no address of this dashboard") from None


def _tickets(request: Request) -> Tickets:
    tickets: Tickets = request.app.state.tickets
    return tickets


SignIn = Annotated[Tickets, Depends(_tickets)]


def start_session(request: Request, response: Response, tickets: Tickets, now: float) -> None:
    # Lax, not Strict: a link to a run in a chat must open; every POST is checked by origin besides.
    response.set_cookie(
        tickets.cookie,
        tickets.issue(TicketKind.SESSION, now),
        max_age=30 * 86400,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
