"""Commands that train and drive in the foreground, list runs, and examine a CARLA server."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.evaluations import evaluation_lines
from backend.cli.options import (
    Data,
    Json,
    app,
    become,
    open_database,
    parse_assignments,
    ready_settings,
    require_free,
    settings_from,
)
from backend.cli.progress import progress_line, progress_reporter, run_document
from backend.errors import PitwallError
from backend.settings import read_settings

ENDED_EARLY = 3


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
    """Train one run here in the foreground; Ctrl-C halts it after a checkpoint.

    What a killed one leaves goes on from its last checkpoint under `pitwall up` with the same data folder.
    Exit codes: 0 the plan was done, 1 the run failed, 3 its rules, its gates or a person ended it before.
    """
    from backend.runs.parsing import parse_config
    from worker.foreground import train_in_foreground

    overrides = parse_assignments(assignments or [])
    overrides |= {k: v for k, v in {"total_steps": steps, "seed": seed}.items() if v is not None}
    config = parse_config(preset, overrides)
    settings = ready_settings(data)
    began = time.monotonic()
    run = train_in_foreground(settings, name, preset, config, progress_reporter(to_stderr=as_json))
    if as_json:
        result = {**run_document(run), "seconds": round(time.monotonic() - began, 3)}
        typer.echo(json.dumps(result))
    else:
        typer.echo(f"{run.name} (run {run.id}): {run.state}, {run.state_reason}")
    raise typer.Exit({"finished": 0, "failed": 1}.get(run.state, ENDED_EARLY))


@app.command()
def runs(data: Data = None, as_json: Json = False) -> None:
    """List the runs of a data folder."""
    from backend.runs.service import list_runs

    with open_database(settings_from(data)).read() as session:
        found = list_runs(session)
    if as_json:
        typer.echo(json.dumps([run_document(run) for run in found]))
        return
    for run in found:
        typer.echo(f"{run.id:>5}  {run.name:<24} {run.verdict:<15} {progress_line(run)}")


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
    constant_image: Annotated[
        bool, typer.Option("--constant-image", help="Blind it: a policy that steers by sight fails")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Drive a policy without noise over the episodes every evaluation uses."""
    from backend.runs.parsing import changed_config, parse_config
    from worker.addresses import parse_addresses
    from worker.trial import PID_PURSUIT, RANDOM, config_of_checkpoint, evaluate_policy

    overrides = parse_assignments(assignments or [])
    if policy in (PID_PURSUIT, RANDOM):
        config = parse_config(preset, overrides)
    else:
        trained = config_of_checkpoint(Path(policy)).model_dump(mode="json")
        config = changed_config(trained, overrides)
    settings = settings_from(data, carla=carla)
    if config.is_carla and settings.carla:
        require_free(settings, *parse_addresses(settings.carla)[0])
    result = evaluate_policy(settings, policy, config, episodes, constant_image)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        typer.echo("\n".join(evaluation_lines(result)))


@app.command()
def export_policy(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint's folder")],
    file: Annotated[Path, typer.Argument(help="TorchScript file to write")],
) -> None:
    """Write a checkpoint's policy for a car: TorchScript, loaded by C++ or Python without Pitwall."""
    from worker.policies import export_policy

    if file.is_dir() or not file.parent.is_dir():
        raise PitwallError(f"{file} cannot be written: name a file in a folder that is there")
    names = export_policy(checkpoint, file)
    typer.echo(f"{file}: takes {', '.join(names)}, each with a batch dimension of 1; gives actions")


@app.command()
def doctor(
    carla: Annotated[str, typer.Option(help="CARLA server as HOST:PORT")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check what a CARLA server can do, against everything Pitwall needs of one."""
    from worker.addresses import one_address

    require_free(settings_from(data), *one_address(carla))
    become("worker.conformance", read_settings(), *(["--json"] if as_json else []), "--", carla)
