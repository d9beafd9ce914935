"""The pages of one run: charts, gates, checkpoints, log, config, and the rollback it asks about."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from backend.checkpoints.service import get_checkpoint
from backend.runs.service import get_run
from backend.web import forms
from backend.web.api.runs import RunId
from backend.web.context import Now, Reading
from backend.web.lineage import left_behind
from backend.web.scenes import RUN_SCENES, read_run
from backend.web.templates import page

router = APIRouter(prefix="/runs/{run_id}")
NOTHING: Mapping[str, str] = MappingProxyType({})
Name = Annotated[str, Query(max_length=60)]


def _show(
    request: Request,
    session: Reading,
    run_id: int,
    name: str,
    now: float,
    asked: Mapping[str, str] = NOTHING,
    **more: object,
) -> Response:
    scene, settings = RUN_SCENES[name], request.app.state.settings
    query = {"run": str(run_id), **asked}
    context = scene.context(session, query, now, settings.snapshots_folder)
    return page(request, scene.template, {**context, **more})


@router.get("")
def charts(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    return _show(request, session, run_id, "charts", now)


@router.get("/gates")
def gates(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    return _show(request, session, run_id, "gates", now)


@router.get("/checkpoints")
def checkpoints(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    return _show(request, session, run_id, "checkpoints", now)


@router.get("/episodes")
def episodes(
    request: Request, run_id: RunId, session: Reading, now: Now, recording: Name = ""
) -> Response:
    """`recording` names an evaluation that was recorded; the newest unless one is named."""
    return _show(request, session, run_id, "episodes", now, {"recording": recording})


@router.get("/log")
def log(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    return _show(request, session, run_id, "log", now)


@router.get("/config")
def config(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    run = get_run(session, run_id)
    values = {name: forms.text(value) for name, value in run.config.items()}
    groups = forms.groups(run.preset, values, {})
    return _show(request, session, run_id, "config", now, groups=groups)


@router.get("/checkpoints/{checkpoint_id}/rollback")
def ask_rollback(
    request: Request, run_id: RunId, checkpoint_id: RunId, session: Reading, now: Now
) -> Response:
    """What going back would leave behind; the page a script shows as a dialog."""
    context = read_run(session, {"run": str(run_id)}, now)
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    left = left_behind(session, context["run"], checkpoint)
    more = {"checkpoint": checkpoint, "left": left, "scene": "checkpoints"}
    return page(request, "rollback.html", {**context, **more})
