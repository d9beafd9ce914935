"""A run as the command line tells of it: a line for people, a document for scripts."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from backend.runs.models import Run


def run_document(run: "Run") -> dict[str, Any]:
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


def progress_line(run: "Run") -> str:
    speed = f", {run.steps_per_second:.0f} steps/s" if run.steps_per_second else ""
    now = ": ".join(filter(None, (run.state, run.activity or run.state_reason)))
    return f"step {run.step:,}/{run.total_steps:,}, episode {run.episode}{speed}, {now}"


def progress_reporter(to_stderr: bool) -> Callable[["Run"], None]:
    """Prints a run's progress whenever there is news."""
    last = ""

    def report(run: "Run") -> None:
        nonlocal last
        if (line := progress_line(run)) != last:
            typer.echo(line, err=to_stderr)
        last = line

    return report
