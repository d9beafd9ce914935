"""The pages about all runs and all workers."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from backend.web.context import Now, Reading
from backend.web.scenes import FLEET_SCENES
from backend.web.templates import page

router = APIRouter()
Text = Annotated[str, Query(max_length=120)]


@router.get("/")
def runs(
    request: Request,
    session: Reading,
    now: Now,
    q: Text = "",
    state: Text = "",
    sort: Text = "",
    group: Text = "",
) -> Response:
    query = {"q": q, "state": state, "sort": sort, "group": group}
    scene = FLEET_SCENES["runs"]
    context = scene.read(session, query, now)
    return page(request, scene.template, {**context, "query": urlencode(query)})


@router.get("/workers")
def workers(request: Request, session: Reading, now: Now) -> Response:
    scene = FLEET_SCENES["workers"]
    return page(request, scene.template, scene.read(session, {}, now))
