"""Runs side by side: overlaid charts, where they stand, statistics over seeds, and only what differs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from backend.analysis.bands import Centre
from backend.analysis.grouping import EVERYTHING_BUT_THE_SEED
from backend.runs.groups import list_groups
from backend.runs.service import list_runs
from backend.web import comparison
from backend.web.context import Now, Reading
from backend.web.scenes import FLEET_SCENES
from backend.web.templates import page

router = APIRouter()
TOGETHER = {
    EVERYTHING_BUT_THE_SEED: "seeds of one configuration",
    comparison.EACH_RUN: "nothing: each run by itself",
    "algorithm": "runs of one algorithm",
}


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
    """`runs=1&runs=2` as the form sends it, or `runs=1,2` as people write it."""
    scene = FLEET_SCENES["compare"]
    query = {"runs": ",".join(runs), "group": group, "by": by, "centre": centre.value}
    context = scene.read(session, {**query, "waive": str(int(waive))}, now)
    others = [run for run in list_runs(session, limit=100) if run not in context["chosen"]]
    more = {
        "together": TOGETHER if by in TOGETHER else {**TOGETHER, by: by},
        "others": others,
        "all_groups": list_groups(session, 30),
    }
    return page(request, scene.template, {**context, **more})
