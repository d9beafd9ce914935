"""Runs side by side: overlaid charts, where they stand, statistics over seeds, and only what differs."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from backend.analysis.bands import Centre, estimator
from backend.analysis.grouping import EVERYTHING_BUT_THE_SEED
from backend.charts.figures import CHARTS
from backend.runs.groups import list_groups
from backend.runs.service import list_runs
from backend.web import comparison
from backend.web.api.compare import chosen_runs
from backend.web.context import Now, Reading
from backend.web.templates import page
from backend.web.views import RunView

router = APIRouter()
TOGETHER = {
    EVERYTHING_BUT_THE_SEED: "seeds of one configuration",
    comparison.EACH_RUN: "nothing: each run by itself",
    "algorithm": "runs of one algorithm",
}


def _numbers(texts: list[str]) -> list[int]:
    """`runs=1&runs=2` as the form sends it, or `runs=1,2` as people write it; each once, in order."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdigit() and len(part) < 10]
    return list(dict.fromkeys(numbers))


@router.get("/compare")
def compare(
    request: Request,
    session: Reading,
    now: Now,
    runs: Annotated[list[str], Query(default_factory=list)],
    group: Annotated[str, Query(max_length=10)] = "",
    by: Annotated[str, Query(max_length=64)] = EVERYTHING_BUT_THE_SEED,
    centre: Centre = Centre.IQM,
    waive: bool = False,
) -> Response:
    numbers = _numbers(runs)
    group_id = int(group) if group.isdigit() else None
    chosen = chosen_runs(session, numbers, group_id)
    groups = comparison.grouped(session, chosen, by)
    asked = {"group": group_id, "by": by, "centre": centre.value, "waive": int(waive)}
    query = [("runs", number) for number in numbers]
    query += [(name, value) for name, value in asked.items() if value not in (None, 0)]  # type: ignore[misc]
    context: dict[str, Any] = {
        "numbers": numbers,
        "group_id": group_id,
        "by": by,
        "centre": centre,
        "waive": waive,
        "together": TOGETHER if by in TOGETHER else {**TOGETHER, by: by},
        "others": [run for run in list_runs(session, limit=100) if run not in chosen],
        "all_groups": list_groups(session, 30),
        "query": urlencode(query),
        "runs_query": urlencode([("runs", run.id) for run in chosen]),
        "most": comparison.MOST_RUNS,
        "most_lines": comparison.MOST_LINES,
        "groups": groups,
        "live": any(RunView(run, now).is_live for run in chosen),
        "comparable": comparison.comparable(chosen),
        "estimator": estimator(centre) if any(len(g) > 1 for g in groups.values()) else "",
        **_found(session, groups, waive, now),
    }
    return page(request, "compare.html", context)


def _found(session: Session, groups: comparison.Groups, waive: bool, now: float) -> dict[str, Any]:
    runs = [run for members in groups.values() for run in members]
    names = comparison.CHARTS if len(runs) > 1 else ()
    drawn = waive or comparison.comparable(runs)
    algorithms = {str(run.config.get("algorithm")) for run in runs}
    return {
        "views": {run.id: RunView(run, now) for run in runs},
        "standings": {run.id: comparison.standing(session, run) for run in runs},
        "differences": comparison.differences(groups),
        "charts": [CHARTS[n] for n in names if drawn or n not in comparison.RETURN_CHARTS],
        "statistics": comparison.statistics(session, groups, waive) if len(runs) > 1 else None,
        "quantities": comparison.quantities(session, groups) if len(groups) > 1 else [],
        "both_algorithms": {"td3", "ddpg"} <= algorithms,
    }
