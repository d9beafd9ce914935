"""No request is larger than what its address is for: a large one would be held in memory whole."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.web.errors import problem

MOST = 1_000_000
# Fifty thousand points as JSON.
MOST_OF_POINTS = 16_000_000
# Uploads of logs keep to a limit of their own (`PITWALL_UPLOAD_LIMIT`) and go to disk.
UPLOADS = frozenset({"/api/v1/imports/tensorboard", "/runs/import"})


class BodyLimit:
    """ASGI middleware: 413 where a request says that it is too large, or turns out to be."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UPLOADS:
            await self.app(scope, receive, send)
            return
        most = MOST_OF_POINTS if scope["path"].endswith("/points") else MOST
        request, taken = Request(scope), 0
        told = request.headers.get("content-length", "0")
        if told.isdecimal() and int(told) > most:
            answer = problem(request, 413, "Content Too Large", _words(int(told), most))
            await answer(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, _words(taken, most))
            return message

        await self.app(scope, counted, send)


def _words(size: int, most: int) -> str:
    return f"{size / 1e6:,.1f} MB are more than the {most / 1e6:,.0f} MB this address takes: send less at once"
