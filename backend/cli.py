"""The command `pitwall`. Every command imports what it needs when it is called, so that help is quick."""

import json
import os
import sys
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from backend.errors import NotFound, PitwallError
from backend.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from backend.database import Database
    from backend.runs.models import Run

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
FORWARDED = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": list[str](),
}


def main() -> None:
    """Entry of the `pitwall` script: errors a user can cure are sentences, not tracebacks."""
    try:
        app()
    except PitwallError as error:
        typer.echo(f"pitwall: {error}", err=True)
        sys.exit(1)


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

    settings = _settings(data, port=port)
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
    import migrations

    settings = _settings(data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrations.upgrade(settings.resolved_database_url)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port of the dashboard")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    data: Data = None,
) -> None:
    """Run only the dashboard and API."""
    _become("backend.web", _settings(data, port=port, host=host))


@app.command()
def worker(
    slots: Annotated[int | None, typer.Option(help="Runs trained at the same time")] = None,
    data: Data = None,
) -> None:
    """Run only a worker."""
    _become("worker.app", _settings(data, slots=slots))


@app.command(context_settings=FORWARDED)
def simulator(context: typer.Context) -> None:
    """Run the embedded CARLA-compatible simulator: `--port P --map NAME`; `--help` lists the rest."""
    _become("worker.simulator", Settings(), *context.args)


@app.command()
def train(
    preset: Annotated[str, typer.Option(help="quickstart, vision-small or paper")],
    steps: Annotated[int | None, typer.Option(help="Decisions to train for")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, a key of the configuration")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the run")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Train one run here in the foreground; Ctrl-C halts it after a checkpoint."""
    import migrations
    from backend.runs.config import parse_config
    from worker.foreground import train_in_foreground

    overrides = _overrides(assignments or [])
    overrides |= {k: v for k, v in {"total_steps": steps, "seed": seed}.items() if v is not None}
    config = parse_config(preset, overrides)
    settings = _settings(data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrations.upgrade(settings.resolved_database_url)
    began = time.monotonic()
    run = train_in_foreground(settings, name, preset, config, _reporter(to_stderr=as_json))
    if as_json:
        result = {**_document(run), "seconds": round(time.monotonic() - began, 3)}
        typer.echo(json.dumps(result))
    else:
        typer.echo(f"{run.name} (run {run.id}): {run.state}, {run.state_reason}")
    raise typer.Exit(1 if run.state == "failed" else 0)


@app.command()
def runs(data: Data = None, as_json: Json = False) -> None:
    """List the runs of a data folder."""
    from backend.runs.service import list_runs

    with _database(_settings(data)).read() as session:
        found = list_runs(session)
    if as_json:
        typer.echo(json.dumps([_document(run) for run in found]))
        return
    for run in found:
        typer.echo(f"{run.id:>5}  {run.name:<24} {run.verdict:<15} {_progress(run)}")


@app.command()
def doctor(
    carla: Annotated[str, typer.Option(help="CARLA server as HOST:PORT")],
    as_json: Json = False,
) -> None:
    """Check what a CARLA server can do, against everything Pitwall needs of one."""
    _become("worker.conformance", Settings(), carla, *(["--json"] if as_json else []))


@app.command()
def evaluate(
    policy: Annotated[str, typer.Option(help="pid-pursuit, random, or a checkpoint's folder")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes driven")] = 20,
    preset: Annotated[
        str, typer.Option(help="Task of a policy without a checkpoint")
    ] = "quickstart",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, a key of the configuration")
    ] = None,
    carla: Annotated[
        str | None, typer.Option(help="CARLA server as HOST:PORT; else an embedded one")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Drive a policy without noise over the episodes every evaluation uses."""
    from backend.runs.config import parse_config
    from worker.trial import PID_PURSUIT, RANDOM, config_of_checkpoint, evaluate_policy

    overrides = _overrides(assignments or [])
    if policy in (PID_PURSUIT, RANDOM):
        config = parse_config(preset, overrides)
    else:
        trained = config_of_checkpoint(Path(policy)).model_dump(mode="json")
        config = parse_config(preset, {**trained, **overrides})
    result = evaluate_policy(_settings(data, carla=carla), policy, config, episodes)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        for name, value in result.items():
            if name != "records":
                typer.echo(f"{name:<20} {value}")


@app.command()
def verdict(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    preset: Annotated[
        str | None,
        typer.Option(help="behavioural, founding, or a saved preset; default the run's own"),
    ] = None,
    at: Annotated[int | None, typer.Option(help="Judge as of this step")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Judge a stored run by the rules the worker judges with."""
    from backend.gates.stored import verdict_document

    with _database(_settings(data)).read() as session:
        judged = verdict_document(session, _run_id(session, run), preset, at)
    if as_json:
        typer.echo(json.dumps(judged))
        return
    typer.echo(f"{judged['verdict'].upper()} at step {judged['step']:,}: {judged['sentence']}")
    for rule in judged["rules"]:
        typer.echo(f"  {rule['state']:<9} {rule['name']:<28} {rule['reason']}")


@app.command()
def backtest(
    selected: Annotated[list[str], typer.Argument(metavar="RUN...", help="Numbers or names")],
    preset: Annotated[str, typer.Option(help="Preset to try")] = "behavioural",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show where each rule of a preset would have fired, and how many steps it would have saved."""
    from backend.gates.stored import backtest as backtest_runs

    with _database(_settings(data)).read() as session:
        tested = backtest_runs(session, [_run_id(session, run) for run in selected], preset)
    if as_json:
        typer.echo(json.dumps(tested))
        return
    for found in tested["runs"]:
        typer.echo(f"{found['run']['name']}: {found['verdict']}, last step {found['last_step']:,}")
        for name, rule in found["rules"].items():
            fired = [f"{level} {rule[level]:,}" for level in ("warning", "critical") if rule[level]]
            saved = f", saves {rule['steps_saved']:,}" if rule["steps_saved"] else ""
            typer.echo(f"  {name:<28} {', '.join(fired) or '-'}{saved}")


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    form: Annotated[str, typer.Option("--format", help="md, html, tex or json")] = "md",
    out: Annotated[Path | None, typer.Option(help="File to write; default standard output")] = None,
    preset: Annotated[str | None, typer.Option(help="Rules to judge by; default the run's")] = None,
    data: Data = None,
) -> None:
    """Write a report in which every figure names its metric, window and estimator."""
    from backend.reports.export import evidence_of, report_document
    from backend.reports.export import export as export_report

    with _database(_settings(data)).read() as session:
        evidence = evidence_of(session, _run_id(session, run), preset)
    text = (
        json.dumps(report_document(evidence)) if form == "json" else export_report(evidence, form)
    )
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text)
        typer.echo(f"wrote {out}")


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
    import migrations
    from backend.tensorboard.commands import import_log

    settings = _settings(data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrations.upgrade(settings.resolved_database_url)
    import_log(_database(settings), folder, name, learning_starts, as_json)


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

    database = _database(_settings(data))
    with database.read() as session:
        run_id = _run_id(session, run)
    export_run(database, run_id, to, folder)


def _settings(data: Path | None, **given: Any) -> Settings:
    """Settings of the environment, with what the command line gives on top."""
    values = {"data": data, **given}
    return Settings(**{name: value for name, value in values.items() if value is not None})


def _database(settings: Settings) -> "Database":
    from backend.database import Database

    if not settings.database_url and not (settings.data / "pitwall.db").exists():
        raise PitwallError(
            f"there is no Pitwall data in {settings.data}: name the folder with --data"
        )
    return Database(settings.resolved_database_url)


def _run_id(session: "Session", named: str) -> int:
    """The run with this number, or else the newest of this name."""
    from backend.runs.service import get_run, list_runs

    if named.isdigit():
        return get_run(session, int(named)).id
    found = next((run.id for run in list_runs(session) if run.name == named), None)
    if found is None:
        raise NotFound(f"there is no run '{named}': `pitwall runs` lists them")
    return found


def _become(module: str, settings: Settings, *arguments: str) -> NoReturn:
    """Replace this process by another entry, so that signals and exit codes are its own."""
    os.environ.update(settings.as_environment())
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def _overrides(assignments: list[str]) -> dict[str, Any]:
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


def _document(run: "Run") -> dict[str, Any]:
    """A run as scripts read it; the names are those of the HTTP API."""
    return {
        "id": run.id,
        "name": run.name,
        "preset": run.preset,
        "state": run.state,
        "reason": run.state_reason,
        "step": run.step,
        "total_steps": run.total_steps,
        "episode": run.episode,
        "steps_per_second": run.steps_per_second,
        "verdict": run.verdict,
        "sentence": run.verdict_sentence,
    }


def _progress(run: "Run") -> str:
    speed = f", {run.steps_per_second:.0f} steps/s" if run.steps_per_second else ""
    now = ": ".join(filter(None, (run.state, run.activity or run.state_reason)))
    return f"step {run.step:,}/{run.total_steps:,}, episode {run.episode}{speed}, {now}"


def _reporter(to_stderr: bool) -> "Callable[[Run], None]":
    """Prints a run's progress whenever there is news."""
    last = ""

    def report(run: "Run") -> None:
        nonlocal last
        if (line := _progress(run)) != last:
            typer.echo(line, err=to_stderr)
        last = line

    return report


if __name__ == "__main__":
    main()
