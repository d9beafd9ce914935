"""Runs over HTTP: create, list, read, and every action a state allows."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from backend.gates.admission import admit_matrix, check_rules
from backend.metrics.deletion import delete_run
from backend.runs import service
from backend.runs.groups import create_group, members
from backend.runs.models import Run, RunGroup, Segment
from backend.runs.parsing import parse_config
from backend.runs.states import RunState
from backend.web.api.schemas import (
    CommandOut,
    GroupOut,
    NewRun,
    Rollback,
    RowId,
    RunDetail,
    RunOut,
    SegmentOut,
)
from backend.web.context import AppDatabase, AppSettings, Now, Reading, Writing
from backend.web.pace import remaining

router = APIRouter(prefix="/runs", tags=["runs"])
RunId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def _segment_number(session: Session, run: Run) -> int:
    segment = session.get(Segment, run.segment_id) if run.segment_id else None
    return segment.number if segment else 0


def run_out(session: Session, run: Run, now: float) -> RunOut:
    return RunOut.of(run, _segment_number(session, run), now, remaining(session, run, now))


@router.post("", status_code=201)
def create(
    body: NewRun, response: Response, session: Writing, now: Now
) -> Annotated[RunDetail | GroupOut, Field(union_mode="left_to_right")]:
    """Queue a run, or with `seeds` or `variants` a group of them.

    Nothing is created when a value is wrong: 422 names field, value and remedy.
    """
    if body.seeds is not None or body.variants is not None:
        return _create_group(body, response, session, now)
    config = parse_config(body.preset, body.config)
    check_rules(session, config)
    run = service.create_run(session, body.name, body.preset, config, now)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return RunDetail.of(run, 0, now)


def _create_group(body: NewRun, response: Response, session: Session, now: float) -> GroupOut:
    cells = admit_matrix(session, body.preset, body.config, body.seeds or (), body.variants)
    plan = {"config": body.config, "seeds": body.seeds or [], "variants": body.variants or {}}
    group = create_group(session, body.name, body.preset, cells, plan, now)
    response.headers["Location"] = f"/api/v1/groups/{group.id}"
    return group_out(session, group, now)


def group_out(session: Session, group: RunGroup, now: float) -> GroupOut:
    runs = [run_out(session, run, now) for run in members(session, group.id)]
    return GroupOut.model_validate(group).model_copy(update={"runs": runs})


@router.get("")
def read_all(
    session: Reading,
    now: Now,
    state: Annotated[list[RunState] | None, Query()] = None,
    group: Annotated[RowId | None, Query(description="Only the runs of this group")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[RunOut]:
    """Runs, newest first; `state` may be given several times."""
    runs = service.list_runs(session, state or (), limit, group)
    return [run_out(session, run, now) for run in runs]


@router.get("/{run_id}")
def read(run_id: RunId, session: Reading, now: Now) -> RunDetail:
    run = service.get_run(session, run_id)
    return RunDetail.of(run, _segment_number(session, run), now, remaining(session, run, now))


@router.delete("/{run_id}", status_code=204)
def delete(
    run_id: RunId, database: AppDatabase, settings: AppSettings, after: BackgroundTasks
) -> None:
    """Delete a run that is over for good: points, checkpoints, files. Its space goes back to the disk."""
    delete_run(database, run_id, settings.folders_of(run_id))
    after.add_task(database.reclaim)


@router.get("/{run_id}/segments")
def read_segments(run_id: RunId, session: Reading) -> list[SegmentOut]:
    service.get_run(session, run_id)
    return [
        SegmentOut.model_validate(segment) for segment in service.list_segments(session, run_id)
    ]


@router.get("/{run_id}/commands")
def read_commands(run_id: RunId, session: Reading) -> list[CommandOut]:
    """What was asked of the run's trainers, newest first, and how they answered."""
    service.get_run(session, run_id)
    return [CommandOut.model_validate(c) for c in service.list_commands(session, run_id)]


@router.post("/{run_id}/halt")
def halt(run_id: RunId, session: Writing, now: Now) -> RunOut:
    """Stop after a checkpoint."""
    run = service.request_halt(session, run_id, now)
    return run_out(session, run, now)


@router.post("/{run_id}/cancel")
def cancel(run_id: RunId, session: Writing, now: Now) -> RunOut:
    """Stop for good."""
    run = service.request_cancel(session, run_id, now)
    return run_out(session, run, now)


@router.post("/{run_id}/resume")
def resume(run_id: RunId, session: Writing, now: Now) -> RunOut:
    """Queue a halted or failed run again from its last checkpoint."""
    run = service.request_resume(session, run_id, now)
    return run_out(session, run, now)


@router.post("/{run_id}/checkpoint", status_code=202)
def checkpoint(run_id: RunId, session: Writing, now: Now) -> CommandOut:
    """Ask for a checkpoint; `GET /runs/{id}/commands` shows the answer."""
    command = service.request_checkpoint(session, run_id, now)
    return CommandOut.model_validate(command)


@router.post("/{run_id}/rollback")
def rollback(run_id: RunId, body: Rollback, session: Writing, now: Now) -> RunOut:
    """Go back to a checkpoint; the points after it stay as an abandoned branch."""
    run = service.request_rollback(session, run_id, body.checkpoint_id, now)
    return run_out(session, run, now)
