"""What an attempt is at before it trains, told to the run's page: probes, pre-flight, what is restored.

A stop that is asked for meanwhile breaks it off: there is nothing to save yet.
"""

import time
from contextlib import suppress
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from backend.database import Database
from backend.runs import attempts
from worker.commands import Commands, StopRequested

EVERY = 0.5


class Tell(Protocol):
    """Takes the stage in words and, where it is counted, which part of how many is under way.

    Called at every decision, for whoever listens may want to break off what is under way.
    """

    def __call__(self, words: str, done: int = 0, of: int = 0) -> None: ...


def untold(words: str, done: int = 0, of: int = 0) -> None:
    """For who has nobody to tell."""


class Stages:
    """Writes the stage into the run's row at most twice a second; a database that is away is not waited for."""

    def __init__(self, database: Database, run_id: int, token: str, commands: Commands) -> None:
        self._database = database
        self._commands = commands
        self._run_id, self._token = run_id, token
        self._words = ""
        self._told_at = -EVERY

    def __call__(self, words: str, done: int = 0, of: int = 0) -> None:
        """
        Raises:
            FencedOff: another attempt owns the run.
            StopRequested: a person or the worker wants it to end.
        """
        if self._commands.stop_requested:
            raise StopRequested
        now = time.monotonic()
        if words == self._words and now < self._told_at + EVERY:
            return
        self._words, self._told_at = words, now
        said = f"{words} {done}/{of}" if of else words
        with suppress(SQLAlchemyError), self._database.write() as session:
            attempts.say(session, self._run_id, self._token, said, time.time())
