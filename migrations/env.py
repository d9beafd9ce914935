"""Alembic's entry: runs the migrations against the database Pitwall's settings name."""

from alembic import context

from backend.database import Database
from backend.models import Base
from backend.settings import Settings

url = context.config.get_main_option("sqlalchemy.url") or Settings().resolved_database_url
database = Database(url)
with database.engine.connect() as connection:
    if connection.dialect.name == "sqlite":
        # A table that is made anew is dropped on the way: with foreign keys on, all rows that refer to
        # it would go too. Inside a transaction the pragma does nothing, hence the driver's connection.
        connection.connection.execute("PRAGMA foreign_keys=OFF")
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
database.close()
