"""`pitwall import` and `pitwall export`: metrics in from TensorBoard, out to TensorBoard, CSV and Parquet."""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import typer

from backend.database import Database
from backend.errors import PitwallError
from backend.metrics.export import csv_lines, parquet_blocks
from backend.tensorboard.exporter import export_tensorboard
from backend.tensorboard.importer import import_tensorboard


def import_log(
    database: Database, folder: Path, name: str, learning_starts: int | None, as_json: bool
) -> None:
    """Import a log and say what became of it."""
    result = import_tensorboard(database, folder, name, learning_starts, time.time(), _progress)
    if as_json:
        told = {"run_id": result.run_id, "points": result.points, "metrics": result.metrics}
        typer.echo(json.dumps({**told, "new": result.new, "problems": result.problems}))
        return
    for problem in result.problems:
        typer.echo(f"note: {problem}")
    had = "imported as" if result.new else "was imported before as"
    typer.echo(f"{result.points:,} points of {result.metrics} metrics {had} run {result.run_id}")


def _progress(words: str) -> None:
    """For people: a script that reads standard error wants errors only."""
    if sys.stderr.isatty():
        typer.echo(words, err=True)


def export_run(database: Database, run_id: int, target: str, folder: Path) -> None:
    """Export a run as `tensorboard`, `csv` or `parquet` into a folder and say where it is.

    Raises:
        PitwallError: when the folder holds an export already.
    """
    with database.read() as session:
        if target == "tensorboard":
            points = export_tensorboard(session, run_id, folder)
            typer.echo(f"{points:,} points in {folder}: tensorboard --logdir {folder}")
            return
        file = folder / f"run-{run_id}.{target}"
        if file.exists():
            raise PitwallError(f"{file} exists already: name another folder or remove it")
        folder.mkdir(parents=True, exist_ok=True)
        if target == "csv":
            _write(file, (text.encode() for text in csv_lines(session, run_id)))
        else:
            _write(file, parquet_blocks(session, run_id))
        typer.echo(f"wrote {file}")


def _write(file: Path, blocks: Iterable[bytes]) -> None:
    """The whole file or none."""
    unfinished = file.with_suffix(".partial")
    with unfinished.open("wb") as stream:
        for block in blocks:
            stream.write(block)
    unfinished.replace(file)
