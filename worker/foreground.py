"""`pitwall train`: one run in the foreground, the worker's code path without broker and dashboard."""

import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from backend.database import Database
from backend.gates.admission import check_rules
from backend.runs import attempts
from backend.runs.attempts import Claim
from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.service import create_run, get_run, request_halt
from backend.runs.states import Action, RunState
from backend.settings import Settings
from worker.app import Heartbeat
from worker.probe import free_port
from worker.simulators import make_simulators
from worker.supervisor import Ending
from worker.tasks import Bench, supervise, train

Report = Callable[[Run], None]


def train_in_foreground(
    settings: Settings, name: str, preset: str, config: RunConfig, report: Report
) -> Run:
    """Create a run, train it here until it is over, and return its row.

    `report` gets the row about once a second. Ctrl-C or SIGTERM halts the run after a checkpoint.
    """
    database = Database(settings.resolved_database_url)
    worker = f"{platform.node()}-{os.getpid()}"
    bench = Bench(worker, settings, database, make_simulators(settings, database, worker))
    heartbeat = Heartbeat(bench)
    heartbeat.start()
    try:
        return _Foreground(bench, report).train(name, preset, config)
    finally:
        heartbeat.close()
        bench.simulators.close()
        database.close()


class _Foreground:
    """Attempts run in a second thread; the main thread reports and hears signals."""

    def __init__(self, bench: Bench, report: Report) -> None:
        self._bench = bench
        self._report = report
        self._stop_asked = threading.Event()

    def train(self, name: str, preset: str, config: RunConfig) -> Run:
        claim = self._create_and_claim(name, preset, config)
        before = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            with ThreadPoolExecutor(1, "attempt") as attempt:
                self._follow(claim.run_id, attempt.submit(supervise, self._bench, claim))
                while not RunState((run := self._read(claim.run_id)).state).is_over:
                    # A crash has its back-off; another worker on this folder may be faster.
                    time.sleep(0.2)
                    self._follow(run.id, attempt.submit(train, self._bench, run.id))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return run

    def _create_and_claim(self, name: str, preset: str, config: RunConfig) -> Claim:
        """In one transaction: no other worker on this data folder sees the run queued."""
        if config.is_carla:
            self._bench.simulators.prepare()
        with self._bench.database.write() as session:
            check_rules(session, config)
            run = create_run(session, name, preset, config, time.time())
            claim = attempts.claim(
                session, run.id, self._bench.name, time.time(), traffic_port=free_port()
            )
            assert claim is not None, "nobody else can have claimed a run not yet committed"
            return claim

    def _follow(self, run_id: int, attempt: Future[Ending | None]) -> None:
        while True:
            if self._stop_asked.is_set():
                self._stop_asked.clear()
                self._halt(run_id)
            run = self._read(run_id)
            self._report(run)
            try:
                attempt.result(timeout=1.0)
                return
            except TimeoutError:
                continue

    def _halt(self, run_id: int) -> None:
        with self._bench.database.write() as session:
            if Action.HALT in RunState(get_run(session, run_id).state).actions:
                request_halt(session, run_id, time.time(), by="a signal to pitwall train")

    def _read(self, run_id: int) -> Run:
        with self._bench.database.read() as session:
            return get_run(session, run_id)

    def _on_signal(self, *_: object) -> None:
        self._stop_asked.set()
