"""`python -m worker.app`: one worker process, taking hints from the broker into its slots."""

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery.signals import worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from backend.broker import EVALUATE, hint_sender, make_celery
from backend.database import Database
from backend.errors import PitwallError
from backend.ladders.climbing import advance_ladders
from backend.notify.sender import Sender
from backend.runs.attempts import Claim
from backend.runs.dispatcher import Dispatcher
from backend.settings import Settings, read_settings
from backend.workers.service import beat, register_worker, remove_worker
from worker.rollcall import RollCall
from worker.simulators import make_simulators
from worker.supervisor import trainer_command
from worker.tasks import Bench, register

log = logging.getLogger(__name__)
BEATS_PER_TTL = 5


class Heartbeat:
    """A thread that keeps the worker's row fresh; registers again should it have been struck off."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while True:
            try:
                self._beat(time.time())
            except SQLAlchemyError as error:
                log.warning("no heartbeat, the database is away: %s", error)
            if self._closed.wait(self._bench.settings.heartbeat_ttl / BEATS_PER_TTL):
                return

    def _beat(self, now: float) -> None:
        bench = self._bench
        with bench.database.write() as session:
            if not beat(session, bench.name, now, bench.draining.is_set()):
                slots = bench.settings.slots
                register_worker(session, bench.name, platform.node(), os.getpid(), slots, now)


def serve(settings: Settings, command: Callable[[Claim], Sequence[str]] = trainer_command) -> None:
    """Work until SIGTERM, which drains: trainers save and their runs go back to the queue."""
    database = Database(settings.resolved_database_url)
    name = f"{platform.node()}-{os.getpid()}"
    bench = Bench(name, settings, database, make_simulators(settings, database, name), command)
    heartbeat = Heartbeat(bench)
    rollcall = RollCall(database, bench.simulators, settings.heartbeat_ttl / BEATS_PER_TTL)
    celery = make_celery(settings)
    register(celery, bench)

    def drain(**_: Any) -> None:
        bench.draining.set()

    worker_shutting_down.connect(drain, weak=False)
    heartbeat.start()
    rollcall.start()
    try:
        # With the API down, runs that come back to the queue still find a worker, ladders go on, and
        # people are told.
        dispatcher = Dispatcher(
            database,
            settings,
            hint_sender(settings),
            interval=5.0,
            publish_evaluation=hint_sender(settings, EVALUATE),
            duties=[advance_ladders],
        )
        with dispatcher, Sender.of(database, settings):
            celery.worker_main(_arguments(name, settings.slots))
    finally:
        rollcall.close()
        heartbeat.close()
        bench.simulators.close()
        _sign_off(database, name)


def _arguments(name: str, slots: int) -> list[str]:
    return [
        "worker",
        "--pool=threads",
        f"--concurrency={slots}",
        f"--hostname=pitwall@{name}",
        "--loglevel=INFO",
        "--without-gossip",
        "--without-mingle",
    ]


def _sign_off(database: Database, name: str) -> None:
    try:
        with database.write() as session:
            remove_worker(session, name)
    except SQLAlchemyError as error:
        log.warning("could not sign off, the reaper will: %s", error)
    database.close()


def main() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        serve(read_settings())
    except PitwallError as error:
        sys.exit(f"pitwall worker: {error}")


if __name__ == "__main__":
    main()
