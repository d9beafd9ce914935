"""Commands about ladders: start one from a file, look at it, accept what it waits for, stop it."""

import getpass
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.options import Data, Json, app, open_database, ready_settings, settings_from
from backend.errors import PitwallError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ladder = typer.Typer(
    help="Plans of stages, each of which starts when the gate before it passes.",
    no_args_is_help=True,
)
app.add_typer(ladder, name="ladder")
Number = Annotated[int, typer.Argument(min=1, help="Number of a ladder")]
By = Annotated[str, typer.Option(help="Who decides; default the user signed in here")]


def _person(given: str) -> str:
    return given or getpass.getuser()


@ladder.command()
def start(
    file: Annotated[Path, typer.Argument(help="YAML file, or the name quickstart or founding")],
    by: By = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check a plan and queue its first stage; a worker on this data folder goes on from there."""
    from backend.database import Database
    from backend.ladders.parse import parse_plan
    from backend.ladders.service import start_ladder
    from backend.yaml_text import read_yaml

    values = read_yaml(_text(file))
    database = Database(ready_settings(data).resolved_database_url)
    with database.write() as session:
        plan = parse_plan(session, values)
        started = start_ladder(session, plan, _person(by), time.time()).id
    with database.read() as session:
        _print(_document(session, started), as_json)


def _text(file: Path) -> str:
    from backend.ladders.presets import PLANS

    if str(file) in PLANS and not file.exists():
        return PLANS[str(file)]
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(PLANS)
        raise PitwallError(
            f"{file} cannot be read ({error}): name a YAML file, or {known}"
        ) from None


@ladder.command("list")
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the ladders of a data folder, newest first."""
    from backend.ladders.service import list_ladders

    with open_database(settings_from(data)).read() as session:
        found = [_document(session, ladder.id) for ladder in list_ladders(session)]
    if as_json:
        typer.echo(json.dumps(found))
        return
    for known in found:
        typer.echo(f"{known['id']:>5}  {known['name']:<28} {known['state']:<9} {known['reason']}")


@ladder.command()
def show(number: Number, data: Data = None, as_json: Json = False) -> None:
    """Show a ladder's stages and the gates between them."""
    with open_database(settings_from(data)).read() as session:
        _print(_document(session, number), as_json)


@ladder.command()
def accept(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why the condition may stand")],
    by: By = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Let the stage that waits pass; who and why is kept beside what stood."""
    from backend.ladders import service

    database = open_database(settings_from(data))
    with database.write() as session:
        service.accept(session, number, _person(by), reason, time.time())
    with database.read() as session:
        _print(_document(session, number), as_json)


@ladder.command()
def stop(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why")] = "",
    by: By = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Start no further stage; the run under way halts after a checkpoint."""
    from backend.ladders.service import stop_ladder

    database = open_database(settings_from(data))
    with database.write() as session:
        stop_ladder(session, number, _person(by), reason, time.time())
    with database.read() as session:
        _print(_document(session, number), as_json)


def _document(session: "Session", number: int) -> dict[str, Any]:
    """A ladder as scripts read it; the names are those of the HTTP API."""
    from backend.ladders.climbing import list_stages
    from backend.ladders.service import get_ladder

    known = get_ladder(session, number)
    fields = ("id", "name", "state", "reason", "position", "person")
    stage = ("position", "name", "state", "reason", "run_id", "step", "verdict")
    accepted = ("accepted_by", "accepted_reason", "accepted_at")
    return {
        **{name: getattr(known, name) for name in fields},
        "stages": [
            {name: getattr(row, name) for name in (*stage, *accepted)}
            for row in list_stages(session, number)
        ],
    }


def _print(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    typer.echo(f"Ladder {document['id']}, {document['name']}: {document['state']}")
    if document["reason"]:
        typer.echo(f"  {document['reason']}")
    for stage in document["stages"]:
        run = f"run {stage['run_id']}" if stage["run_id"] else ""
        accepted = f" (accepted by {stage['accepted_by']}: {stage['accepted_reason']})"
        told = f"{stage['reason']}{accepted if stage['accepted_by'] else ''}"
        typer.echo(
            f"  {stage['position'] + 1}. {stage['name']:<24} {stage['state']:<8} {run:<8} {told}"
        )
