"""Commands about presets of rules: list them, show one as YAML, save one from YAML."""

import json
from pathlib import Path
from typing import Annotated, Any

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

rules = typer.Typer(help="Presets of go / no-go rules.", no_args_is_help=True)
app.add_typer(rules, name="rules")


@rules.command("list")
def list_presets(data: Data = None, as_json: Json = False) -> None:
    """Built-in presets and every saved version, newest first."""
    from backend.gates.presets import saved_presets
    from backend.rules.presets import PRESETS

    with open_database(settings_from(data)).read() as session:
        found: list[dict[str, Any]] = [
            {"name": name, "version": preset.version, "base": name, "title": preset.title}
            for name, preset in PRESETS.items()
        ]
        found += [
            {"name": row.name, "version": row.version, "base": row.base, "title": row.title}
            for row in saved_presets(session)
        ]
    if as_json:
        typer.echo(json.dumps(found))
        return
    for preset in found:
        typer.echo(f"{preset['name']}@{preset['version']}  on {preset['base']}  {preset['title']}")


@rules.command()
def show(name: Annotated[str, typer.Argument(help="NAME or NAME@2")], data: Data = None) -> None:
    """A preset as YAML, ready to be edited and saved; a built-in one with every default."""
    import yaml

    from backend.gates.presets import preset_document

    with open_database(settings_from(data)).read() as session:
        document = preset_document(session, name)
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


@rules.command()
def save(
    file: Annotated[Path, typer.Argument(help="YAML with name, base, parameters, actions, custom")],
    person: Annotated[str, typer.Option(help="Who saves it")] = "",
    data: Data = None,
) -> None:
    """Save a preset as its next version; verdicts it gives name that version."""
    import time

    from backend.database import Database
    from backend.errors import InvalidConfig
    from backend.gates.presets import save_preset
    from backend.yaml_text import read_yaml

    try:
        values = read_yaml(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig({"file": f"{file} cannot be read: {error}"}) from None
    if not isinstance(values, dict):
        raise InvalidConfig({"file": f"{file} holds no mapping: begin with `name: ...`"})
    with Database(ready_settings(data).resolved_database_url).write() as session:
        preset = save_preset(session, values, person, time.time())
    typer.echo(f"saved {preset.name}@{preset.version}")


@rules.command()
def use(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    name: Annotated[str, typer.Argument(help="NAME, NAME@2, behavioural or founding")],
    person: Annotated[str, typer.Option(help="Who says so; default the user signed in here")] = "",
    data: Data = None,
) -> None:
    """Judge a run by a preset from now on; a trainer under way takes it up within seconds."""
    import getpass
    import time

    from backend.gates.choice import choose_rules
    from backend.runs.service import get_run

    database = open_database(settings_from(data))
    with database.write() as session:
        run_id = find_run(session, run)
        preset = choose_rules(session, run_id, name, person or getpass.getuser(), time.time())
        known = get_run(session, run_id)
        typer.echo(f"run {run_id} is judged by {preset.label}: {known.verdict}, {known.judged_by}")
