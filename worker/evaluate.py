"""The process that drives a checkpoint: `python -m worker.evaluate EVALUATION_ID TOKEN`."""

import logging
import os
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from backend.checkpoints.models import Checkpoint
from backend.database import Database
from backend.errors import FencedOff
from backend.runs import evaluations
from backend.runs.config import RunConfig
from backend.runs.snapshots import folder_of
from backend.settings import Settings
from backend.workers import service as fleet
from worker.agents import prepare_torch
from worker.environment import SimulatorAddress, make_environment
from worker.evaluation import Record, evaluate
from worker.recording import Recording
from worker.seeding import Stream, episode_seed
from worker.trial import config_of_checkpoint, document, policy_of

SETTLE_PATIENCE = 120.0
DONE, LEFT, CRASHED = 0, 76, 1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What the row asks for."""

    run_id: int
    step: int
    path: Path
    config: RunConfig
    episodes: int
    address: SimulatorAddress | None


def main() -> NoReturn:
    """Drive, write the answer, and leave without an interpreter exit, as the trainer does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    threading.Thread(target=_leave_with_the_worker, daemon=True).start()
    settings = Settings()
    database = Database(settings.resolved_database_url)
    try:
        drive(settings, database, int(sys.argv[1]), sys.argv[2])
        code = DONE
    except FencedOff as error:
        log.warning("%s", error)
        code = LEFT
    except Exception:
        log.exception("the evaluation failed")
        code = CRASHED
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)


def _leave_with_the_worker() -> None:
    """The worker holds the other end of stdin: when it dies there is nobody to drive for."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def read_task(database: Database, evaluation_id: int, token: str) -> Task:
    """Raises FencedOff when the token does not own the row, CheckpointDamaged when files do not match."""
    with database.write() as session:
        row = evaluations.owned_evaluation(session, evaluation_id, token)
        checkpoint = session.get_one(Checkpoint, row.checkpoint_id)
        simulator = fleet.leased(session, row.run_id, token)
        path = Path(checkpoint.path)
        return Task(
            run_id=row.run_id,
            step=checkpoint.step,
            path=path,
            config=config_of_checkpoint(path),
            episodes=row.episodes,
            address=SimulatorAddress(simulator.host, simulator.port, simulator.traffic_port)
            if simulator
            else None,
        )


def drive(settings: Settings, database: Database, evaluation_id: int, token: str) -> None:
    """The episodes of the run's own evaluations, all of them, without screening; then the answer."""
    task = read_task(database, evaluation_id, token)
    prepare_torch(task.config)
    done = 0

    def on_episode(_: Record) -> bool:
        nonlocal done
        done += 1
        database.insist(
            lambda s: evaluations.report_evaluation(s, evaluation_id, token, done), SETTLE_PATIENCE
        )
        return True

    seeds = [
        episode_seed(task.config.seed, Stream.EVALUATION, number) for number in range(task.episodes)
    ]
    with closing(make_environment(task.config, task.address)) as env:
        policy = policy_of(str(task.path), task.config, env)
        recording = Recording(
            folder_of(settings.snapshots_folder, task.run_id), env, task.step, asked=True
        )
        result = document(
            f"checkpoint {task.path.name}",
            evaluate(env, policy, seeds, on_episode=on_episode, watcher=recording),
        )
        recording.close()
    database.insist(
        lambda s: evaluations.finish_evaluation(s, evaluation_id, token, result, time.time()),
        SETTLE_PATIENCE,
    )


if __name__ == "__main__":
    main()
