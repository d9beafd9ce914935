"""What is asked of a trainer, heard in a thread and obeyed at a step boundary."""

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType, TracebackType
from typing import Protocol, Self

from sqlalchemy.exc import SQLAlchemyError

from backend.database import Database
from backend.errors import FencedOff
from backend.runs.attempts import owned
from backend.runs.commands import complete_command, open_commands, take_command
from backend.runs.models import Command, Run
from backend.runs.service import get_run
from backend.runs.states import CommandKind, CommandState, Desired, RunState

log = logging.getLogger(__name__)

# Seconds an orphaned trainer has to save itself before the kernel ends it.
ORPHAN_LIMIT = 120


class RequestKind(IntEnum):
    """What the loop shall do; of several stops the higher wins."""

    CHECKPOINT = 0
    ROLLBACK = 1
    DRAIN = 2
    HALT = 3
    CANCEL = 4
    FENCED = 5


@dataclass(frozen=True)
class Request:
    """One thing to do at the next step boundary, and who wants it."""

    kind: RequestKind
    reason: str = ""
    command_id: int | None = None
    checkpoint_id: int | None = None


class StopRequested(Exception):
    """Breaks off what is under way between training's decisions, because a stop waits to be obeyed."""


class Commands(Protocol):
    """What the training loop sees of the listener."""

    @property
    def stop_requested(self) -> bool:
        """A stop waits; long work such as an evaluation breaks off."""

    def poll(self) -> Request | None:
        """The next thing to do. A stop is returned again each time, a command once."""

    def answer(self, request: Request, ok: bool, result: str) -> None:
        """A command was carried out, or could not be."""


class CommandListener:
    """Hears the database (desired state, commands, fencing), SIGTERM and the supervisor's death.

    Use it as a context manager in the trainer's main thread. A database that is away is asked again;
    signals and the supervisor's death are heard meanwhile.
    """

    def __init__(
        self,
        database: Database,
        run_id: int,
        token: str,
        interval: float = 0.5,
        lifeline: int | None = 0,
    ) -> None:
        """`lifeline` is the descriptor whose end means that the supervisor died; None: there is none.

        `orphaned` is True from then on: nobody but the trainer can say where the run goes.
        """
        self._database = database
        self._run_id = run_id
        self._token = token
        self._interval = interval
        self._lifeline = lifeline
        self._stop: Request | None = None
        self._commands: deque[Request] = deque()
        self._answers: deque[tuple[int, CommandState, str, float]] = deque()
        self.orphaned = False
        self._closed = threading.Event()
        self._raising = threading.RLock()
        self._thread = threading.Thread(target=self._listen, name="commands", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_sigterm)
        if self._lifeline is not None:
            threading.Thread(target=self._watch_lifeline, name="lifeline", daemon=True).start()
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join(timeout=10)

    @property
    def stop_requested(self) -> bool:
        return self._stop is not None

    def poll(self) -> Request | None:
        stop = self._stop
        # A checkpoint asked for before a rollback comes first: both were asked of this run, in this order.
        if self._commands and (stop is None or stop.kind is RequestKind.ROLLBACK):
            return self._commands.popleft()
        return stop

    def answer(self, request: Request, ok: bool, result: str) -> None:
        if request.command_id is not None:
            state = CommandState.DONE if ok else CommandState.FAILED
            self._answers.append((request.command_id, state, result, time.time()))

    def _raise_stop(self, request: Request) -> None:
        # Reentrant: a signal may arrive in the main thread while it is in here.
        with self._raising:
            if self._stop is None or request.kind > self._stop.kind:
                self._stop = request

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self._raise_stop(Request(RequestKind.DRAIN, "SIGTERM: the worker drains"))

    def _watch_lifeline(self) -> None:
        assert self._lifeline is not None
        # os.read: Python's buffered stdin would hold a lock that interpreter exit waits for.
        while os.read(self._lifeline, 1):
            pass
        if not self._closed.is_set():
            # The kernel's alarm ends even a process stuck in a call that holds the GIL.
            signal.alarm(ORPHAN_LIMIT)
            self.orphaned = True
            self._raise_stop(Request(RequestKind.DRAIN, "the supervisor died"))

    def _listen(self) -> None:
        while not self._closed.is_set():
            self._try(self._hear)
            self._try(self._send_answers)
            self._closed.wait(self._interval)
        self._try(self._send_answers)

    def _try(self, talk: Callable[[], None]) -> None:
        try:
            talk()
        except SQLAlchemyError as error:
            log.warning("no commands heard, the database is away: %s", error)

    def _hear(self) -> None:
        with self._database.read() as session:
            run = get_run(session, self._run_id)
            waiting = any(
                c.state == CommandState.PENDING for c in open_commands(session, self._run_id)
            )
        if (stop := self._stop_for(run)) is not None:
            self._raise_stop(stop)
        elif waiting:
            self._take()

    def _stop_for(self, run: Run) -> Request | None:
        if run.token != self._token or not RunState(run.state).is_active:
            return Request(RequestKind.FENCED, f"another attempt owns run {run.id}")
        if run.desired == Desired.CANCEL:
            return Request(RequestKind.CANCEL, run.state_reason)
        if run.desired == Desired.HALT:
            return Request(RequestKind.HALT, run.state_reason)
        return None

    def _take(self) -> None:
        try:
            with self._database.write() as session:
                owned(session, self._run_id, self._token)
                command = take_command(session, self._run_id)
        except FencedOff as error:
            self._raise_stop(Request(RequestKind.FENCED, str(error)))
        else:
            if command is not None:
                self._accept(_request(command))

    def _accept(self, request: Request) -> None:
        if request.kind is RequestKind.CHECKPOINT:
            self._commands.append(request)
        else:
            self._raise_stop(request)

    def _send_answers(self) -> None:
        while self._answers:
            command_id, state, result, now = self._answers[0]
            with self._database.write() as session:
                complete_command(session, command_id, state, result, now)
            self._answers.popleft()


def _request(command: Command) -> Request:
    checkpoint_id = command.argument.get("checkpoint_id")
    kind = RequestKind[CommandKind(command.kind).name]
    return Request(kind, f"{kind.name.lower()} asked", command.id, checkpoint_id)
