"""Static files under addresses that name their content, so browsers keep them for ever."""

import gzip
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path

import plotly
from fastapi import APIRouter, FastAPI
from plotly.offline import get_plotlyjs_version
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FRONTEND = Path(__file__).parents[2] / "frontend"
STATIC = FRONTEND / "static"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
PLOTLY_PATH = f"/vendor/plotly-{get_plotlyjs_version()}.min.js"
IMMUTABLE = "public, max-age=31536000, immutable"


@cache
def static_root() -> str:
    """`/static/<hash of the whole tree>`: modules that import each other change address together."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*.*")):
        digest.update(path.relative_to(STATIC).as_posix().encode() + path.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


STYLES = ("tokens", "elements", "components", "pages")


@cache
def styles() -> str:
    """Every page's styles, to stand in the page itself: a file of their own held up the first paint."""
    return "\n".join((STATIC / "css" / f"{name}.css").read_text("utf-8") for name in STYLES)


class ImmutableFiles(StaticFiles):
    """Static files that never change at their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = IMMUTABLE
        return response


class PlotlyScript:
    """plotly.min.js out of the installed wheel, compressed once: 0.2 s that no request should pay."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="plotly")
        self._compressed: Future[bytes] | None = None

    def compress(self) -> None:
        """Start compressing beside the start-up; the first request waits for what is left of it."""
        self._compressed = self._executor.submit(lambda: gzip.compress(PLOTLY.read_bytes(), 6))
        # So does the first figure for this import.
        self._executor.submit(import_module, "plotly.graph_objects")
        self._executor.shutdown(wait=False)

    async def respond(self, request: Request) -> Response:
        headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"}
        if self._compressed is None or "gzip" not in request.headers.get("accept-encoding", ""):
            return FileResponse(PLOTLY, media_type="text/javascript", headers=headers)
        body = await run_in_threadpool(self._compressed.result)
        return Response(
            body, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"}
        )


def install(app: FastAPI, script: PlotlyScript) -> None:
    router = APIRouter(include_in_schema=False)
    router.add_api_route(PLOTLY_PATH, script.respond, methods=["GET"], response_class=Response)
    app.include_router(router)
    app.mount(static_root(), ImmutableFiles(directory=STATIC), name="static")
