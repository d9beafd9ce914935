"""The command that deletes runs."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.options import Data, app, find_run, open_database, settings_from
from backend.errors import InvalidConfig

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DAY = 86_400


@app.command()
def delete(
    runs: Annotated[list[str] | None, typer.Argument(help="Numbers or names of runs")] = None,
    ended_before: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS", min=0, help="Every run that ended so many days ago or earlier"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    data: Data = None,
) -> None:
    """Delete runs that are over for good: points, checkpoints, files; gives their space back."""
    from backend.metrics.deletion import delete_run

    if not runs and ended_before is None:
        raise InvalidConfig({"runs": "name runs, or say --ended-before DAYS"})
    settings = settings_from(data)
    database = open_database(settings)
    with database.read() as session:
        chosen = _chosen(session, runs or [], ended_before)
    if not chosen:
        typer.echo("no run ended that long ago")
        return
    if not yes:
        typer.confirm(f"Delete {', '.join(chosen.values())} for good?", abort=True)
    for run_id, name in chosen.items():
        delete_run(database, run_id, settings.folders_of(run_id))
        typer.echo(f"deleted {name}")
    database.reclaim()


def _chosen(session: "Session", runs: list[str], days: float | None) -> dict[int, str]:
    """{run: its number and name}, forks before what they were forked from."""
    from backend.metrics.deletion import ended_before
    from backend.runs.service import get_run

    numbers = {find_run(session, run) for run in runs}
    if days is not None:
        numbers |= set(ended_before(session, time.time() - days * DAY))
    return {
        number: f"run {number} ({get_run(session, number).name})"
        for number in sorted(numbers, reverse=True)
    }
