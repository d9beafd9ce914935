"""The command `pitwall`. Every command imports what it needs when it is called, so that help is quick."""

import sys

import typer

from backend.cli import deletion, judging, ladders, logs, rules, serving, training
from backend.cli.options import app
from backend.errors import PitwallError

__all__ = ["app", "deletion", "judging", "ladders", "logs", "main", "rules", "serving", "training"]


def main() -> None:
    """Entry of the `pitwall` script: errors a user can cure are sentences, not tracebacks."""
    try:
        app()
    except PitwallError as error:
        typer.echo(f"pitwall: {error}", err=True)
        sys.exit(1)
