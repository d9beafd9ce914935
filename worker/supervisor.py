"""Watches over one attempt: spawns the trainer, stops it when asked, settles the run when it ends."""

import logging
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import FencedOff
from backend.runs import attempts
from backend.runs.attempts import Claim
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.runs.service import get_run
from backend.runs.states import Desired, RunState
from backend.settings import Settings
from worker.child import SIMULATOR_LOST, Child, describe_exit
from worker.probe import server_version
from worker.watch import SAVING, Limits, Rung, StallWatchdog, StopLadder

log = logging.getLogger(__name__)
SETTLE_PATIENCE = 120.0
CLIENT_ABORTS = (-signal.SIGABRT, -signal.SIGSEGV)
DEAF = "asked to stop, the trainer went on, and was killed"
# Time, level and logger, as the trainer's log has them before what it says.
LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ [A-Z]+ \S+: ")


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: the trainer's exit code, the proof that it is gone, where the run stands."""

    code: int
    gone: bool
    state: RunState


def trainer_command(claim: Claim) -> list[str]:
    return [sys.executable, "-m", "worker.train", str(claim.run_id), claim.token]


class Supervisor:
    """One attempt at a run, from the spawned trainer to the settled row."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        claim: Claim,
        draining: Event,
        *,
        command: Sequence[str],
        limits: Limits | None = None,
    ) -> None:
        self._database = database
        self._claim = claim
        self._draining = draining
        self._max_crashes = settings.max_crashes
        self._command = command
        self._environment = settings.as_environment()
        self._limits = limits or Limits(stop=settings.stop_timeout)
        self._log_path = log_path(settings.logs_folder, claim)
        self._ladder = StopLadder(self._limits)
        self._climbed = Rung.NONE
        self._saving = False
        self._lost_at: float | None = None
        self._verdict = ""

    def run(self) -> Ending:
        """Blocks until the trainer has ended and the run's row says what follows."""
        child = Child(self._command, self._log_path, self._environment)
        try:
            self._watch(child)
        finally:
            code = child.reap()
        return self._settle(child, code)

    def _watch(self, child: Child) -> None:
        watchdog = StallWatchdog(self._limits, time.monotonic())
        next_beat, run = 0.0, None
        while not child.wait(self._limits.look):
            now = time.monotonic()
            if now >= next_beat:
                run, next_beat = self._beat() or run, now + self._limits.beat
            if self._draining.is_set():
                self._ladder.ask(now, draining=True)
            if run is not None:
                self._note_wishes(run, now)
                self._kill_if_stalled(child, run, watchdog, now)
            self._climb(child, now)
            self._kill_if_lost(child, now)

    def _beat(self) -> Run | None:
        """The row after a heartbeat; None when the database is away or the run is not ours any more."""
        try:
            with self._database.write() as session:
                return attempts.beat(session, self._claim.run_id, self._claim.token, time.time())
        except FencedOff:
            self._lost_at = self._lost_at or time.monotonic()
        except SQLAlchemyError as error:
            log.warning("run %s: no heartbeat, the database is away: %s", self._claim.run_id, error)
        return None

    def _note_wishes(self, run: Run, now: float) -> None:
        self._saving = run.state == RunState.STOPPING or run.activity == SAVING
        if run.desired != Desired.RUN:
            self._ladder.ask(now)

    def _climb(self, child: Child, now: float) -> None:
        rung = self._ladder.rung(now, self._saving)
        if rung <= self._climbed:
            return
        self._climbed = rung
        if rung is Rung.TERMINATE:
            self._note(Level.INFO, "stopping", f"SIGTERM sent to process {child.pid}")
            child.terminate()
        elif rung is Rung.KILL:
            self._note(Level.WARNING, "stopping", f"SIGKILL sent to process group {child.pid}")
            child.kill()

    def _kill_if_stalled(self, child: Child, run: Run, watchdog: StallWatchdog, now: float) -> None:
        idle = watchdog.stalled_for(now, run.step, run.activity)
        if idle is not None and not self._verdict:
            self._verdict = (
                f"stalled: {run.activity} at step {run.step:,} without progress for {idle:.0f} s"
            )
            child.kill()

    def _kill_if_lost(self, child: Child, now: float) -> None:
        """A trainer whose run ended, or was given to another, has a moment to leave by itself."""
        if self._lost_at is not None and now - self._lost_at > self._limits.leave:
            child.kill()

    def _settle(self, child: Child, code: int) -> Ending:
        proof = (
            f"Trainer process {child.pid} ended with {describe_exit(code)}; "
            f"its process group is {'gone' if child.is_gone else 'not gone yet'}"
        )

        def settle(session: Session) -> RunState:
            now, run_id = time.time(), self._claim.run_id
            add_event(session, run_id, Level.INFO, "process", proof, now, data={"code": code})
            try:
                attempts.owned(session, run_id, self._claim.token)
                self._hand_on(session, child, code, now)
            except FencedOff:
                log.info("run %s: settled by its trainer", run_id)
            return RunState(get_run(session, run_id).state)

        state = self._database.insist(settle, patience=SETTLE_PATIENCE)
        return Ending(code, child.is_gone, state)

    def _hand_on(self, session: Session, child: Child, code: int, now: float) -> None:
        """The trainer left the run unsettled: a drain is nobody's fault, all else is a crash."""
        run_id, token = self._claim.run_id, self._claim.token
        if self._draining.is_set() and not self._verdict:
            attempts.requeue(session, run_id, token, "drain", now)
            return
        killed = DEAF if self._climbed is Rung.KILL else ""
        reason = self._verdict or killed or describe_exit(code)
        # Who is killed from outside has not said why: its last line is about something else.
        if code != -signal.SIGKILL and (last := _last_line(child.tail())):
            reason = f"{reason}: {last}"
        lost = not self._verdict and self._lost_its_simulator(session, code)
        cause = attempts.SIMULATOR if lost else attempts.CRASH
        attempts.crashed(session, run_id, token, reason, now, self._max_crashes, cause)

    def _lost_its_simulator(self, session: Session, code: int) -> bool:
        """It said so, or died as the client makes a process die whose server is gone."""
        if code == SIMULATOR_LOST:
            return True
        if code not in CLIENT_ABORTS or not self._claim.simulator:
            return False
        if get_run(session, self._claim.run_id).config.get("traffic"):
            return True
        host, _, port = self._claim.simulator.rpartition(":")
        return server_version(host, int(port), timeout=0.5) is None

    def _note(self, level: Level, kind: str, message: str) -> None:
        try:
            with self._database.write() as session:
                add_event(session, self._claim.run_id, level, kind, message, time.time())
        except SQLAlchemyError:
            log.warning("run %s: %s", self._claim.run_id, message)


def log_path(folder: Path, claim: Claim) -> Path:
    """Where an attempt's trainer prints."""
    return folder / f"run-{claim.run_id:06d}" / f"attempt-{claim.attempt:03d}.log"


def _last_line(text: str) -> str:
    """The last line that says something: of a traceback, the error itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return LOG_PREFIX.sub("", lines[-1])[:300] if lines else ""
