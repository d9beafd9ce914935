"""The trainer process: `python -m worker.train RUN_ID TOKEN`, one attempt at one run."""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sqlalchemy.orm import Session

from backend.checkpoints.service import newest_whole
from backend.database import Database
from backend.errors import CheckpointDamaged, FencedOff, InvalidConfig
from backend.runs import attempts
from backend.settings import Settings
from worker.agents import prepare_torch
from worker.attempt import opened, read_assignment
from worker.child import SIMULATOR_LOST
from worker.commands import CommandListener, Commands, StopRequested
from worker.environment import SimulatorLost
from worker.environment.carla_env import DrivingEnv
from worker.rehearsal import RehearsalFailed
from worker.replay import ReplayTooLarge
from worker.training import STOPS, End, Outcome, Training

FINISHED, STOPPED, FENCED_OFF, CRASHED = 0, 75, 76, 1
SETTLE_PATIENCE = 600.0
# A live Traffic Manager aborts the process some nine seconds after the lookout has noticed.
RESCUE_PATIENCE = 5.0

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Train, settle the run's row, and leave without an interpreter exit.

    The carla client's threads can abort a process that exits in the ordinary way while streams close
    (carla 0.9.16); everything is saved and flushed by then.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    run_id, token = int(sys.argv[1]), sys.argv[2]
    settings = Settings()
    database = Database(settings.resolved_database_url)
    try:
        code = train(settings, database, run_id, token)
    except FencedOff as error:
        log.warning("%s", error)
        code = FENCED_OFF
    except SimulatorLost as error:
        log.error("%s", error)
        code = SIMULATOR_LOST
    except Exception:
        log.exception("the trainer crashed")
        code = CRASHED
    leave(code)


def leave(code: int) -> NoReturn:
    """End the process, whatever its other threads are held up by."""
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)


def train(settings: Settings, database: Database, run_id: int, token: str) -> int:
    """The exit code of one attempt whose end stands in the database."""
    assignment = read_assignment(database, run_id, token)
    prepare_torch(assignment.config)
    with CommandListener(database, run_id, token) as commands:

        def settle_alone(error: SimulatorLost) -> bool:
            """A worker that was killed took its simulator along: that is no crash of the run's."""
            if commands.orphaned:
                settle(database, run_id, token, End(Outcome.DRAINED, str(error)))
            return commands.orphaned

        try:
            with opened(settings, database, assignment, commands) as training:
                database.insist(lambda s: attempts.mark_running(s, run_id, token, time.time()))
                watch_simulator(training, settle_alone)
                end = training.run()
                if end.outcome is not Outcome.FENCED:
                    database.insist(lambda s: attempts.mark_stopping(s, run_id, token, time.time()))
        except StopRequested:
            end = unbegun(commands)
        except SimulatorLost as error:
            if not settle_alone(error):
                raise
            return STOPPED
        except (InvalidConfig, CheckpointDamaged, RehearsalFailed, ReplayTooLarge) as error:
            reason = str(error)
            if isinstance(error, CheckpointDamaged):
                reason = f"{reason}. {offer(database, run_id)}"
            database.insist(lambda s: attempts.fail(s, run_id, token, reason, time.time()))
            return STOPPED
    return settle(database, run_id, token, end)


def unbegun(commands: Commands) -> End:
    """Of an attempt that was stopped before its first step: it changed nothing."""
    request = commands.poll()
    assert request is not None
    outcome, _ = STOPS[request.kind]
    return End(outcome, request.reason, request)


def watch_simulator(training: Training, settle_alone: Callable[[SimulatorLost], bool]) -> None:
    """Leave, with everything saved, as soon as the simulator is found dead or hung."""
    env = training.env.unwrapped
    if isinstance(env, DrivingEnv):
        env.watch(lambda error: leave_lost(training, settle_alone, error))


def leave_lost(
    training: Training, settle_alone: Callable[[SimulatorLost], bool], error: SimulatorLost
) -> NoReturn:
    """Called while the loop is held in a tick that will not come back."""
    try:
        training.rescue(error)
        training.journal.close(RESCUE_PATIENCE)
        settle_alone(error)
    except Exception:
        log.exception("not everything was saved")
    finally:
        log.error("%s", error)
        leave(SIMULATOR_LOST)


def offer(database: Database, run_id: int) -> str:
    """What to do about a damaged checkpoint: the newest one that is whole, by number."""
    with database.read() as session:
        whole = newest_whole(session, run_id)
    if whole is None:
        return "No other checkpoint of this run is whole: start it anew"
    return f"Checkpoint {whole.id} at step {whole.step:,} is whole: roll back to it"


def settle(database: Database, run_id: int, token: str, end: End) -> int:
    """Write where the run goes from here, until the database answers; the exit code that says so."""

    def write(session: Session) -> None:
        now = time.time()
        match end.outcome:
            case Outcome.FINISHED:
                attempts.finish(session, run_id, token, now)
            case Outcome.HALTED:
                attempts.halt(session, run_id, token, end.reason, now)
            case Outcome.CANCELLED:
                attempts.cancel(session, run_id, token, end.reason, now)
            case Outcome.DRAINED:
                attempts.requeue(session, run_id, token, "drain", now)
            case Outcome.ROLLED_BACK if end.request is None:
                attempts.fall_back(session, run_id, token, end.reason, now)
            case Outcome.ROLLED_BACK:
                target = end.request.checkpoint_id if end.request else None
                attempts.requeue(session, run_id, token, "rollback", now, target)
            case Outcome.FENCED:
                raise FencedOff(end.reason)

    database.insist(write, SETTLE_PATIENCE)
    return FINISHED if end.outcome is Outcome.FINISHED else STOPPED


if __name__ == "__main__":
    main()
