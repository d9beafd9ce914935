"""Sees one evaluation of a checkpoint through: claim, spawn the process that drives, settle the row."""

import logging
import sys
import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from backend.checkpoints.models import Evaluation
from backend.errors import FencedOff, PitwallError
from backend.runs import evaluations
from backend.runs.attempts import new_token
from backend.runs.evaluations import queued_evaluations
from backend.runs.service import get_run, interrupted_on
from worker.child import Child, describe_exit
from worker.probe import free_port
from worker.supervisor import SETTLE_PATIENCE
from worker.tasks import CLAIM_PATIENCE, Bench
from worker.watch import Limits

log = logging.getLogger(__name__)
LIMITS = Limits()


def driver_command(evaluation_id: int, token: str) -> list[str]:
    return [sys.executable, "-m", "worker.evaluate", str(evaluation_id), token]


def examine(bench: Bench, evaluation_id: int, command: Sequence[str] | None = None) -> None:
    """Blocks until the evaluation is over or given back; does nothing when it is not to be had."""
    token = new_token()
    with bench.claiming:
        run_id = _claim(bench, evaluation_id, token)
    if run_id is None:
        return
    log_path = bench.settings.logs_folder / f"run-{run_id:06d}" / f"evaluation-{evaluation_id}.log"
    child = Child(
        command or driver_command(evaluation_id, token), log_path, bench.settings.as_environment()
    )
    try:
        verdict = _watch(bench, child, evaluation_id, token)
    finally:
        code = child.reap()
    reason = verdict or describe_exit(code)
    if lines := [line for line in child.tail().splitlines() if line.strip()]:
        reason = f"{reason}: {lines[-1][:300]}"
    drained = bench.draining.is_set()
    bench.database.insist(
        lambda s: evaluations.leave_evaluation(
            s, evaluation_id, token, reason, time.time(), again=drained
        ),
        SETTLE_PATIENCE,
    )


def _claim(bench: Bench, evaluation_id: int, token: str) -> int | None:
    """The run whose checkpoint is to be driven; None when another has it or no simulator is free."""
    with bench.database.read() as session:
        waiting = evaluation_id in queued_evaluations(session)
        if bench.draining.is_set() or not waiting or interrupted_on(session, bench.name):
            return None
        row = session.get_one(Evaluation, evaluation_id)
        needs_simulator = get_run(session, row.run_id).config["environment"] == "carla"
    try:
        if needs_simulator:
            bench.simulators.prepare()
        port = free_port()
        claimed = bench.database.insist(
            lambda s: evaluations.claim_evaluation(
                s, evaluation_id, bench.name, token, time.time(), port
            ),
            CLAIM_PATIENCE,
        )
    except PitwallError as error:
        log.warning("evaluation %s waits: %s", evaluation_id, error)
        return None
    return claimed.run_id if claimed else None


def _watch(bench: Bench, child: Child, evaluation_id: int, token: str) -> str:
    """Until the process ends; why it was ended, if it was."""
    next_beat = 0.0
    moved, done = time.monotonic(), -1
    while not child.wait(LIMITS.look):
        now = time.monotonic()
        if bench.draining.is_set():
            return "the worker drains"
        if now < next_beat:
            continue
        next_beat = now + LIMITS.beat
        try:
            with bench.database.write() as session:
                row = evaluations.beat_evaluation(session, evaluation_id, token, time.time())
        except FencedOff:
            return "cancelled"
        except SQLAlchemyError as error:
            log.warning("evaluation %s: the database is away: %s", evaluation_id, error)
            continue
        if row.done != done:
            moved, done = now, row.done
        if now - moved > LIMITS.patience:
            return f"no episode ended for {LIMITS.patience:.0f} s"
    return ""
