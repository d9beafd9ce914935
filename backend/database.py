"""Engine, sessions and the declarative base; SQLite and PostgreSQL behind one small door."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from sqlite3 import Connection as SQLiteConnection
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
T = TypeVar("T")
RECLAIMED_AT_ONCE = 4096  # pages
log = logging.getLogger(__name__)


class Base(DeclarativeBase):
    """Declarative base of every table; constraint names are fixed so that migrations can drop them."""

    metadata = MetaData(naming_convention=CONVENTION)


class Database:
    """One engine and the two ways to use it: `read()` and `write()`.

    A write session commits when its block ends and rolls back when it raises. On SQLite it begins
    IMMEDIATE, so that two writers queue for the lock instead of failing when they upgrade.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _create_engine(url)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        engine = self.engine.execution_options(immediate=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def insist(
        self, action: Callable[[Session], T], patience: float = math.inf, pause: float = 0.5
    ) -> T:
        """Write until the database answers, or raise its error after `patience` seconds.

        A commit whose answer was lost is done again: `action` must find out that it was done.
        """
        give_up = time.monotonic() + patience
        while True:
            try:
                with self.write() as session:
                    return action(session)
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() >= give_up:
                    raise
                log.warning("waiting for the database: %s", error)
            time.sleep(pause)

    def reclaim(self) -> None:
        """Give space that deleted rows held back to the disk (SQLite) or to new rows (PostgreSQL)."""
        if self.engine.dialect.name != "sqlite":
            with self.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection:
                connection.exec_driver_sql("VACUUM")
            return
        with closing(self.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
            # A pragma that frees a page at each step: only a script steps to the end.
            script: Any = cursor
            # In portions, between which trainers get to write.
            left = math.inf
            while 0 < (free := script.execute("PRAGMA freelist_count").fetchone()[0]) < left:
                left = free
                script.executescript(f"PRAGMA incremental_vacuum({RECLAIMED_AT_ONCE})")
            script.executescript("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.engine.dispose()


def _create_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # A dead server must not hang a trainer: every wait for the network is bounded.
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    # Legacy transaction control leaves BEGIN to the listener below.
    engine = create_engine(url, connect_args={"timeout": 30, "isolation_level": None})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: SQLiteConnection, _record: Any) -> None:
    for pragma in (
        # Only a database without tables takes it: it must come before anything else.
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "busy_timeout=30000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
