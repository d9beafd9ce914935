"""A run's checkpoints over HTTP: listed, pinned, evaluated, forked, downloaded."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from backend.checkpoints import service
from backend.checkpoints.archive import Archive
from backend.errors import NotFound
from backend.gates.admission import check_rules
from backend.runs import evaluations, forks
from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.parsing import changed_config
from backend.runs.service import get_run
from backend.settings import Settings
from backend.web.api.runs import RunId
from backend.web.api.schemas import (
    CheckpointOut,
    EvaluationOut,
    NewEvaluation,
    NewFork,
    Pin,
    RunDetail,
)
from backend.web.context import AppSettings, Now, Reading, Writing

router = APIRouter(prefix="/runs/{run_id}/checkpoints", tags=["checkpoints"])


@router.get("")
def read_all(run_id: RunId, session: Reading) -> list[CheckpointOut]:
    """Checkpoints whose files are there, newest first."""
    get_run(session, run_id)
    return [CheckpointOut.model_validate(c) for c in service.list_checkpoints(session, run_id)]


@router.post("/{checkpoint_id}/pin")
def pin(run_id: RunId, checkpoint_id: RunId, body: Pin, session: Writing) -> CheckpointOut:
    """Keep a checkpoint from retention, or hand it back."""
    get_run(session, run_id)
    checkpoint = service.pin(session, run_id, checkpoint_id, body.pinned)
    return CheckpointOut.model_validate(checkpoint)


@router.get("/evaluations")
def read_evaluations(run_id: RunId, session: Reading) -> list[EvaluationOut]:
    """Evaluations people asked for, newest first, with how far they are or what they found."""
    get_run(session, run_id)
    found = evaluations.list_evaluations(session, run_id)
    return [EvaluationOut.model_validate(evaluation) for evaluation in found]


@router.post("/{checkpoint_id}/evaluations", status_code=202)
def evaluate(
    run_id: RunId, checkpoint_id: RunId, body: NewEvaluation, session: Writing, now: Now
) -> EvaluationOut:
    """Ask a worker to drive the checkpoint's policy over the seeds of the run's own evaluations."""
    found = evaluations.request_evaluation(session, run_id, checkpoint_id, body.episodes, now)
    return EvaluationOut.model_validate(found)


@router.post("/evaluations/{evaluation_id}/cancel")
def cancel(run_id: RunId, evaluation_id: RunId, session: Writing, now: Now) -> EvaluationOut:
    found = evaluations.cancel_evaluation(session, run_id, evaluation_id, now)
    return EvaluationOut.model_validate(found)


@router.post("/{checkpoint_id}/fork", status_code=201)
def fork(
    run_id: RunId, checkpoint_id: RunId, body: NewFork, session: Writing, now: Now
) -> RunDetail:
    """A new run that starts where the checkpoint stands, with `config` changed where it still fits."""
    run = forked(session, run_id, checkpoint_id, body.name, body.config, now)
    return RunDetail.of(run, 0, now)


@router.get("/{checkpoint_id}/archive", response_class=StreamingResponse)
def download(
    run_id: RunId, checkpoint_id: RunId, session: Reading, settings: AppSettings
) -> StreamingResponse:
    """The checkpoint's files as one tar, its manifest first."""
    return archive(session, settings, run_id, checkpoint_id)


def forked(
    session: Session,
    run_id: int,
    checkpoint_id: int,
    name: str,
    changes: dict[str, Any],
    now: float,
) -> Run:
    """The fork of a checkpoint with some values changed; raises what makes it impossible."""
    source, _ = forks.forkable(session, run_id, checkpoint_id)
    config: RunConfig = changed_config(source.config, changes)
    check_rules(session, config)
    return forks.fork_run(session, run_id, checkpoint_id, name, config, now)


def archive(
    session: Session, settings: Settings, run_id: int, checkpoint_id: int
) -> StreamingResponse:
    """The answer that streams a checkpoint's files."""
    run = get_run(session, run_id)
    checkpoint = service.get_checkpoint(session, run_id, checkpoint_id)
    if not run.is_native:
        raise NotFound(f"run {run_id} keeps its own checkpoints: fetch them where it trains")
    found = Archive.of(Path(checkpoint.path), settings.checkpoints_folder)
    name = f"{found.folder.parent.name}-{found.folder.name}.tar"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(found.size),
        # Weights do not compress, and a length is what lets a browser show how far it is.
        "Content-Encoding": "identity",
    }
    return StreamingResponse(found.stream(), media_type="application/x-tar", headers=headers)
