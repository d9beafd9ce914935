"""Commands that judge stored runs and report on them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.options import Data, Json, app, find_run, open_database, settings_from


@app.command()
def verdict(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    preset: Annotated[
        str | None,
        typer.Option(help="behavioural, founding, or a saved preset; default the run's own"),
    ] = None,
    at: Annotated[int | None, typer.Option(min=0, help="Judge as of this step")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Judge a stored run by the rules the worker judges with."""
    from backend.gates.stored import verdict_document

    with open_database(settings_from(data)).read() as session:
        judged = verdict_document(session, find_run(session, run), preset, at)
    if as_json:
        typer.echo(json.dumps(judged))
        return
    typer.echo(f"Step {judged['step']:,}: {judged['sentence']}")
    for rule in judged["rules"]:
        typer.echo(f"  {rule['state']:<9} {rule['name']:<28} {rule['reason']}")
    for gate in judged["gates"]:
        told = "; ".join(check["reason"] for check in gate["checks"])
        typer.echo(f"  gate at {gate['at']:,}: {gate['outcome']}{': ' if told else ''}{told}")


@app.command()
def backtest(
    selected: Annotated[list[str], typer.Argument(metavar="RUN...", help="Numbers or names")],
    preset: Annotated[str, typer.Option(help="Preset to try")] = "behavioural",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show where each rule of a preset would have fired, and how many steps it would have saved."""
    from backend.gates.stored import backtest as backtest_runs

    with open_database(settings_from(data)).read() as session:
        tested = backtest_runs(session, [find_run(session, run) for run in selected], preset)
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
def compare(
    selected: Annotated[list[str], typer.Argument(metavar="RUN...", help="Numbers or names")],
    by: Annotated[
        str, typer.Option(help="config (everything but the seed), or a key such as algorithm")
    ] = "config",
    metric: Annotated[str, typer.Option(help="What is compared")] = "evaluation/return_mean",
    at: Annotated[int | None, typer.Option(min=0, help="Compare at this step")] = None,
    waive: Annotated[
        bool, typer.Option(help="Compare returns though the rewards differ; that is then said")
    ] = False,
    form: Annotated[str, typer.Option("--format", help="md, html, tex or json")] = "md",
    data: Data = None,
) -> None:
    """Compare groups of seeds: IQM and probability of improvement with intervals, Mann-Whitney U, Wilson."""
    from backend.gates.storable import storable
    from backend.reports.comparison import compare as compare_groups
    from backend.reports.comparison import groups_of
    from backend.reports.comparison_report import comparison_report
    from backend.reports.export import write

    with open_database(settings_from(data)).read() as session:
        groups = groups_of(session, [find_run(session, run) for run in selected], by)
        found = compare_groups(session, groups, metric=metric, at=at, waive_fingerprints=waive)
    document = storable({"by": by, **found})
    typer.echo(json.dumps(document) if form == "json" else write(comparison_report(document), form))


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="Number or name of a run")],
    form: Annotated[str, typer.Option("--format", help="md, html, tex, json, csv or zip")] = "md",
    out: Annotated[Path | None, typer.Option(help="File to write; default standard output")] = None,
    preset: Annotated[str | None, typer.Option(help="Rules to judge by; default the run's")] = None,
    data: Data = None,
) -> None:
    """Write a report in which every figure names its metric, window and estimator."""
    from backend.errors import InvalidConfig
    from backend.reports.export import evidence_of, exported, pictures

    with open_database(settings_from(data)).read() as session:
        evidence = evidence_of(session, find_run(session, run), preset)
    if form == "zip" and out is None:
        raise InvalidConfig({"out": "a ZIP is no text: name a file with --out"})
    content = exported(evidence, form)
    if out is None:
        typer.echo(content.decode())
        return
    out.write_bytes(content)
    typer.echo(f"wrote {out}")
    if form in ("md", "tex"):
        for name, picture in pictures(evidence, "png" if form == "md" else "pdf"):
            (out.parent / name).write_bytes(picture)
            typer.echo(f"wrote {out.parent / name}")
