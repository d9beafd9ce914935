"""Runs side by side: overlaid charts, where they stand, and only what differs in their configurations."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from backend.charts.figures import CHARTS
from backend.runs.service import get_run, list_runs
from backend.web import comparison
from backend.web.context import Now, Reading
from backend.web.templates import page
from backend.web.views import RunView

router = APIRouter()


def _numbers(texts: list[str]) -> list[int]:
    """`runs=1&runs=2` as the form sends it, or `runs=1,2` as people write it; each once, in order."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdigit() and len(part) < 10]
    return list(dict.fromkeys(numbers))[: comparison.MOST_RUNS]


@router.get("/compare")
def compare(
    request: Request,
    session: Reading,
    now: Now,
    runs: Annotated[list[str], Query(default_factory=list)],
) -> Response:
    chosen = [get_run(session, number) for number in _numbers(runs)]
    context = {
        "views": [RunView(run, now) for run in chosen],
        "others": [run for run in list_runs(session, limit=100) if run not in chosen],
        "standings": [comparison.standing(session, run) for run in chosen],
        "differences": comparison.differences(chosen),
        "comparable": comparison.comparable(chosen),
        "charts": [CHARTS[name] for name in comparison.CHARTS] if len(chosen) > 1 else [],
        "query": "&".join(f"runs={run.id}" for run in chosen),
        "most": comparison.MOST_RUNS,
    }
    return page(request, "compare.html", context)
