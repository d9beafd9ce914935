"""Alembic migrations and how to run them from code."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def config(database_url: str) -> Config:
    """Alembic configuration for one database; needs no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return settings


def upgrade(database_url: str) -> None:
    """Bring the database to the newest revision."""
    command.upgrade(config(database_url), "head")
