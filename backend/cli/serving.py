"""Commands that run Pitwall: all of it, or one of its processes."""

import json
import sys
import webbrowser
from typing import Annotated

import typer

from backend.cli.options import Data, Json, app, become, ready_settings, settings_from
from backend.settings import read_settings

FORWARDED = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": list[str](),
}


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the dashboard; 0 picks one")] = None,
    data: Data = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser")] = False,
    as_json: Json = False,
) -> None:
    """Run Pitwall here: dashboard, broker, worker and simulators as children of this process."""
    import migrations
    from backend.embedded.stack import run_stack
    from worker.simulators import check_simulators

    settings = settings_from(data, port=port)
    check_simulators(settings)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def announce(url: str, token: str, link: str) -> None:
        if as_json:
            typer.echo(json.dumps({"url": url, "token": token, "sign_in": link}))
        else:
            typer.echo(f"Pitwall runs at {url}. Sign in (the link works once): {link}")
            typer.echo(f"Token for the API: {token}")
            typer.echo("Ctrl-C stops it; runs in progress save a checkpoint first.")
        sys.stdout.flush()
        if not (no_browser or as_json):
            webbrowser.open(link)

    run_stack(settings, lambda: migrations.upgrade(settings.resolved_database_url), announce)


@app.command()
def migrate(data: Data = None) -> None:
    """Bring the database to the newest schema."""
    ready_settings(data)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port of the dashboard")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    data: Data = None,
) -> None:
    """Run only the dashboard and API."""
    become("backend.web", settings_from(data, port=port, host=host))


@app.command()
def worker(
    slots: Annotated[int | None, typer.Option(help="Runs trained at the same time")] = None,
    data: Data = None,
) -> None:
    """Run only a worker."""
    become("worker.app", settings_from(data, slots=slots))


@app.command(context_settings=FORWARDED)
def simulator(context: typer.Context) -> None:
    """Run the embedded CARLA-compatible simulator: `--port P --map NAME`; `--help` lists the rest."""
    become("worker.simulator", read_settings(), *context.args)
