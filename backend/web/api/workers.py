"""Workers and simulators over HTTP."""

from fastapi import APIRouter

from backend.runs.service import list_runs
from backend.runs.states import RunState
from backend.web.api.schemas import SimulatorOut, WorkerOut
from backend.web.context import Reading
from backend.workers.service import list_simulators, list_workers

router = APIRouter(tags=["workers"])


@router.get("/workers")
def read_workers(session: Reading) -> list[WorkerOut]:
    """Workers that are alive, and what each trains."""
    active = list_runs(session, [state for state in RunState if state.is_active])
    return [
        WorkerOut.model_validate(worker).model_copy(
            update={"runs": [run.id for run in active if run.worker == worker.name]}
        )
        for worker in list_workers(session)
    ]


@router.get("/simulators")
def read_simulators(session: Reading) -> list[SimulatorOut]:
    """CARLA servers, which run holds each, and why one cannot be used (`problem`, else empty)."""
    return [SimulatorOut.model_validate(s) for s in list_simulators(session)]
