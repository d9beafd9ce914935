"""The pages about one checkpoint: evaluate it, fork it, take it home; each asks before it does."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from sqlalchemy.orm import Session

from backend.checkpoints.service import get_checkpoint
from backend.errors import InvalidConfig
from backend.runs import evaluations, forks
from backend.web import forms
from backend.web.api.checkpoints import archive, forked
from backend.web.api.runs import RunId
from backend.web.context import AppSettings, Now, Reading, Writing
from backend.web.lineage import left_behind
from backend.web.scenes import read_run
from backend.web.templates import page

router = APIRouter(prefix="/runs/{run_id}")


async def _posted(request: Request) -> dict[str, str]:
    """The last value of each input: an unticked box leaves only the hidden `off` before it."""
    form = await request.form()
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


Posted = Annotated[dict[str, str], Depends(_posted)]


@router.get("/checkpoints/{checkpoint_id}/evaluate")
def ask_evaluation(
    request: Request, run_id: RunId, checkpoint_id: RunId, session: Reading, now: Now
) -> Response:
    context = read_run(session, {"run": str(run_id)}, now)
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    more = {"checkpoint": checkpoint, "scene": "checkpoints"}
    return page(request, "evaluate.html", {**context, **more})


@router.post("/checkpoints/{checkpoint_id}/evaluate")
def evaluate(
    run_id: RunId,
    checkpoint_id: RunId,
    episodes: Annotated[int, Form(ge=1, le=evaluations.MOST_EPISODES)],
    session: Writing,
    now: Now,
) -> Response:
    evaluations.request_evaluation(session, run_id, checkpoint_id, episodes, now)
    return RedirectResponse(f"/runs/{run_id}/checkpoints", 303)


@router.post("/evaluations/{evaluation_id}/cancel")
def cancel(run_id: RunId, evaluation_id: RunId, session: Writing, now: Now) -> Response:
    evaluations.cancel_evaluation(session, run_id, evaluation_id, now)
    return RedirectResponse(f"/runs/{run_id}/checkpoints", 303)


@router.get("/checkpoints/{checkpoint_id}/archive", response_class=StreamingResponse)
def download(
    run_id: RunId, checkpoint_id: RunId, session: Reading, settings: AppSettings
) -> StreamingResponse:
    return archive(session, settings, run_id, checkpoint_id)


@router.get("/checkpoints/{checkpoint_id}/fork")
def ask_fork(
    request: Request, run_id: RunId, checkpoint_id: RunId, session: Reading, now: Now
) -> Response:
    """What a fork takes along, what it leaves, and which values it may change."""
    source, _ = forks.forkable(session, run_id, checkpoint_id)
    values = {name: forms.text(value) for name, value in source.config.items()}
    return _fork_form(request, session, run_id, checkpoint_id, now, values, "", {})


@router.post("/checkpoints/{checkpoint_id}/fork")
def fork(
    request: Request,
    run_id: RunId,
    checkpoint_id: RunId,
    posted: Posted,
    session: Writing,
    now: Now,
) -> Response:
    """303 to the new run, or 422 with the form as it was and what to mend."""
    values = dict(posted)
    name = values.pop("name", "")[:120]
    source, _ = forks.forkable(session, run_id, checkpoint_id)
    before = {key: forms.text(value) for key, value in source.config.items()}
    changes: dict[str, Any] = forms.changes(before, values)
    try:
        run = forked(session, run_id, checkpoint_id, name, changes, now)
    except InvalidConfig as error:
        shown = {**before, **values}
        return _fork_form(
            request, session, run_id, checkpoint_id, now, shown, name, error.fields, 422
        )
    return RedirectResponse(f"/runs/{run.id}", 303)


def _fork_form(
    request: Request,
    session: Session,
    run_id: int,
    checkpoint_id: int,
    now: float,
    values: Mapping[str, str],
    name: str,
    problems: Mapping[str, str],
    status: int = 200,
) -> Response:
    context = read_run(session, {"run": str(run_id)}, now)
    run = context["run"]
    source = {key: forms.text(value) for key, value in run.config.items()}
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    more = {
        "scene": "checkpoints",
        "checkpoint": checkpoint,
        "left": left_behind(session, run, checkpoint),
        "name": name,
        "problems": problems,
        "groups": forms.groups_beside(source, values, problems, skip=forks.is_fixed),
        "fixed": [key for key in source if forks.is_fixed(key)],
    }
    return page(request, "fork.html", {**context, **more}, status)
