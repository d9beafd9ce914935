"""What endpoints ask for: the settings, the clock, and a session that reads or writes."""

import time
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from backend.database import Database
from backend.settings import Settings


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _now() -> float:
    return time.time()


def _reading(database: Annotated[Database, Depends(_database)]) -> Iterator[Session]:
    with database.read() as session:
        yield session


def _writing(
    request: Request, database: Annotated[Database, Depends(_database)]
) -> Iterator[Session]:
    with database.write() as session:
        yield session
    # Committed: stream and dispatcher look now instead of at their next interval.
    for wake in request.app.state.wakes:
        wake()


AppSettings = Annotated[Settings, Depends(_settings)]
AppDatabase = Annotated[Database, Depends(_database)]
Now = Annotated[float, Depends(_now)]
Reading = Annotated[Session, Depends(_reading)]
# `function`: committed before the answer leaves, so that a redirect finds what was written.
Writing = Annotated[Session, Depends(_writing, scope="function")]
