"""What the commands of `pitwall` share: the application, its options, and how they find data and runs."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from backend.errors import NotFound, PitwallError
from backend.settings import Settings, read_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from backend.database import Database

app = typer.Typer(
    help="Start, watch, judge, halt and roll back training runs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; default PITWALL_DATA or ./.pitwall"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts")]


def settings_from(data: Path | None, **given: Any) -> Settings:
    """Settings of the environment, with what the command line gives on top."""
    values = {"data": data, **given}
    return read_settings(**{name: value for name, value in values.items() if value is not None})


def ready_settings(data: Path | None, **given: Any) -> Settings:
    """The same, with the folder made and the database at its newest schema."""
    import migrations

    found = settings_from(data, **given)
    found.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrations.upgrade(found.resolved_database_url)
    return found


def has_data(settings: Settings) -> bool:
    return bool(settings.database_url) or (settings.data / "pitwall.db").exists()


def open_database(settings: Settings) -> "Database":
    from backend.database import Database

    if not has_data(settings):
        raise PitwallError(
            f"there is no Pitwall data in {settings.data}: name the folder with --data"
        )
    return Database(settings.resolved_database_url)


def require_free(settings: Settings, host: str, port: int) -> None:
    """Refuse a server that a run of this data folder drives: a second driver would take its cars away."""
    from sqlalchemy.exc import SQLAlchemyError

    from backend.workers.service import holder

    if not has_data(settings):
        return
    try:
        with open_database(settings).read() as session:
            run_id = holder(session, host, port)
    except SQLAlchemyError:
        # Whether a server is sound can be asked while the database is away.
        return
    if run_id is not None:
        raise PitwallError(
            f"run {run_id} drives on {host}:{port}: halt it first, or name another server"
        )


def find_run(session: "Session", named: str) -> int:
    """The run with this number, or else the newest of this name."""
    from backend.runs.service import get_run, list_runs

    try:
        if named.isdigit():
            return get_run(session, int(named)).id
        return next(run.id for run in list_runs(session) if run.name == named)
    except (NotFound, StopIteration):
        raise NotFound(f"there is no run '{named}': `pitwall runs` lists them") from None


def become(module: str, settings: Settings, *arguments: str) -> NoReturn:
    """Replace this process by another entry, so that signals and exit codes are its own."""
    os.environ.update(settings.as_environment())
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """`key=value` pairs; a value that is not JSON is text."""
    found: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise PitwallError(f"--set {assignment}: write key=value")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found
