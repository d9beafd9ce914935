"""What a worker does on a hint: claim the run, and if it got it, see one attempt through."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from celery import Celery

from backend.broker import EVALUATE, TRAIN
from backend.database import Database
from backend.errors import NotFound, PitwallError
from backend.runs import attempts
from backend.runs.attempts import Claim
from backend.runs.models import Run
from backend.runs.service import get_run, interrupted_on, note_waiting
from backend.runs.states import Desired, RunState
from backend.settings import Settings
from worker.probe import free_port
from worker.simulators import Simulators
from worker.supervisor import Ending, Supervisor, trainer_command

log = logging.getLogger(__name__)
CLAIM_PATIENCE = 10.0


@dataclass
class Bench:
    """What the slots of one worker share. `draining` set: no new claims, and trainers are to stop."""

    name: str
    settings: Settings
    database: Database
    simulators: Simulators
    command: Callable[[Claim], Sequence[str]] = trainer_command
    draining: Event = field(default_factory=Event)
    claiming: Lock = field(default_factory=Lock)


def register(celery: Celery, bench: Bench) -> None:
    """Make the worker's Celery application know its tasks."""
    # It builds on this module.
    from worker.examination import examine

    @celery.task(name=TRAIN)  # type: ignore[untyped-decorator]
    def run_training(run_id: int) -> None:
        train(bench, run_id)

    @celery.task(name=EVALUATE)  # type: ignore[untyped-decorator]
    def run_evaluation(evaluation_id: int) -> None:
        examine(bench, evaluation_id)


def train(bench: Bench, run_id: int) -> Ending | None:
    """See one attempt at the run through; None when it was not to be had, which is no error."""
    claim = _claim(bench, run_id)
    if claim is None:
        return None
    return supervise(bench, claim)


def supervise(bench: Bench, claim: Claim) -> Ending:
    """See a claimed attempt through."""
    supervisor = Supervisor(
        bench.database, bench.settings, claim, bench.draining, command=bench.command(claim)
    )
    ending = supervisor.run()
    log.info("run %s attempt %s: %s", claim.run_id, claim.attempt, ending)
    return ending


def _claim(bench: Bench, run_id: int) -> Claim | None:
    # One claim at a time: the simulator that was prepared is still free when it is leased.
    with bench.claiming:
        if bench.draining.is_set() or not _is_claimable(bench, run_id):
            return None
        try:
            return claim_run(bench, run_id)
        except PitwallError as error:
            log.warning("run %s waits: %s", run_id, error)
            reason = str(error)
            bench.database.insist(lambda s: note_waiting(s, run_id, reason), CLAIM_PATIENCE)
            return None


def claim_run(bench: Bench, run_id: int) -> Claim | None:
    """Prepare a simulator if the run needs one, then claim.

    Raises:
        NoSimulator: all are taken.
        SimulatorStartFailed: an embedded one did not come up.
    """
    with bench.database.read() as session:
        needs_simulator = get_run(session, run_id).config["environment"] == "carla"
    if needs_simulator:
        bench.simulators.prepare()
    token, port = attempts.new_token(), free_port()
    return bench.database.insist(
        lambda s: attempts.claim(s, run_id, bench.name, time.time(), token, port),
        CLAIM_PATIENCE,
    )


def _is_claimable(bench: Bench, run_id: int) -> bool:
    """A stale hint must not start a simulator, nor a new run take the slot of one that crashed."""
    try:
        with bench.database.read() as session:
            run: Run = get_run(session, run_id)
            return (
                run.state == RunState.QUEUED
                and run.desired == Desired.RUN
                and run.not_before <= time.time()
                and not (run.attempt == 0 and interrupted_on(session, bench.name))
            )
    except NotFound:
        return False
