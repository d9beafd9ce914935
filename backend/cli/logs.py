"""Commands that take logs in and give points out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from backend.cli.options import (
    Data,
    Json,
    app,
    find_run,
    open_database,
    ready_settings,
    settings_from,
)


@app.command("import")
def import_(
    source: Annotated[Literal["tensorboard"], typer.Argument(help="What the folder holds")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of event files")],
    name: Annotated[str, typer.Option(help="Name of the run; default the folder's")] = "",
    learning_starts: Annotated[
        int | None, typer.Option(min=0, help="Step; default the first exploration noise")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a finished, judged run of a TensorBoard log; the same log again changes nothing."""
    from backend.tensorboard.commands import import_log

    settings = ready_settings(data)
    import_log(open_database(settings), folder, name, learning_starts, as_json)


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into")],
    to: Annotated[
        Literal["tensorboard", "csv", "parquet"], typer.Option(help="Format")
    ] = "tensorboard",
    data: Data = None,
) -> None:
    """Write every point of a run into a folder, exact to the last bit."""
    from backend.tensorboard.commands import export_run

    database = open_database(settings_from(data))
    with database.read() as session:
        run_id = find_run(session, run)
    export_run(database, run_id, to, folder)
