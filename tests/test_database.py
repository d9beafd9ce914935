"""Sessions: what is written stays, what raises leaves nothing, and migrations make the tables of the models."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

import migrations
from backend.database import Database
from backend.models import Base, Worker
from backend.runs.events import list_events
from backend.runs.parsing import parse_config
from backend.runs.service import create_run


def worker(name: str) -> Worker:
    return Worker(name=name, host="h", pid=1, started_at=0.0, heartbeat_at=0.0)


def test_a_write_session_commits_at_its_end(database: Database) -> None:
    with database.write() as session:
        session.add(worker("w"))
    with database.read() as session:
        assert session.scalars(select(Worker.name)).all() == ["w"]


def test_a_write_session_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(worker("w"))
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.scalars(select(Worker)).all() == []


def check_migrations(url: str) -> None:
    migrations.upgrade(url)
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    command.downgrade(migrations.config(url), "base")
    migrations.upgrade(url)
    database.close()


def test_migrations_make_the_models_tables_on_sqlite_down_and_up_again(tmp_path: Path) -> None:
    check_migrations(f"sqlite:///{tmp_path / 'migrated.db'}")


def test_migrations_make_the_models_tables_on_postgresql_down_and_up_again(
    postgresql_url: str,
) -> None:
    server = Database(postgresql_url)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE migrated")
    check_migrations(server.engine.url.set(database="migrated").render_as_string(False))
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE migrated")
    server.close()


def test_what_hangs_on_a_run_survives_migrations_on_sqlite(tmp_path: Path) -> None:
    """SQLite makes some tables anew to change them; what refers to them must not go with the old one."""
    url = f"sqlite:///{tmp_path / 'migrated.db'}"
    migrations.upgrade(url)
    database = Database(url)
    with database.write() as session:
        config = parse_config("quickstart")
        run_id = create_run(session, "kept", "quickstart", config, 1.0).id
    command.downgrade(migrations.config(url), "0001")
    migrations.upgrade(url)
    with database.read() as session:
        assert [event.run_id for event in list_events(session, run_id)] == [run_id]
    database.close()
