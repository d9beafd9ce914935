"""The web application: API, pages, stream and the threads that keep runs moving."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from backend.database import Database
from backend.gates.live import LiveJudges
from backend.ladders.climbing import advance_ladders
from backend.notify.sender import Sender
from backend.retention import Retention
from backend.runs.dispatcher import Dispatcher
from backend.settings import Settings
from backend.web import api, errors, pages, statics
from backend.web.body_limit import BodyLimit
from backend.web.security import Guard
from backend.web.statics import PlotlyScript
from backend.web.stream import Tail
from backend.web.tickets import Tickets, access_token
from backend.web.writing import Recent


def create_app(settings: Settings) -> FastAPI:
    """The dashboard for one data folder; nothing is opened or started before its lifespan."""
    app = FastAPI(
        title="Pitwall",
        summary="Start, watch, judge, halt and roll back training runs",
        openapi_url="/api/v1/openapi.json",
        # Swagger UI and ReDoc come from a CDN, which our pages never ask.
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.database = Database(settings.resolved_database_url)
    app.state.tickets = Tickets(access_token(settings))
    app.state.tail = Tail(app.state.database, settings.snapshots_folder)
    app.state.plotly = PlotlyScript()
    app.state.recent = Recent()
    app.state.judges = LiveJudges()
    app.state.dispatcher = Dispatcher(
        app.state.database,
        settings,
        _publisher(settings),
        publish_evaluation=_publisher(settings, evaluations=True),
        duties=[advance_ladders, Retention(settings)],
    )
    app.state.sender = Sender.of(app.state.database, settings)
    app.state.wakes = [app.state.tail.wake, app.state.dispatcher.wake, app.state.sender.wake]
    errors.install(app)
    statics.install(app, app.state.plotly)
    app.include_router(api.router)
    app.include_router(pages.router)
    # Numbers shrink to 40 % at level 1 and to 38 % at level 6, which takes four times as long.
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=1)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, tickets=app.state.tickets, host=settings.host)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.plotly.compress()
    with app.state.dispatcher, app.state.sender:
        async with app.state.tail:
            yield
    app.state.database.close()


def _publisher(settings: Settings, evaluations: bool = False) -> Callable[[int], None]:
    """Celery takes half a second to import: the dispatcher's thread pays it with its first hint."""

    @cache
    def sender() -> Callable[[int], None]:
        from backend.broker import EVALUATE, TRAIN, hint_sender

        return hint_sender(settings, EVALUATE if evaluations else TRAIN)

    return lambda number: sender()(number)
