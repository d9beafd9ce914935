"""One run of a trainer of the user's own, as its script holds it."""

import atexit
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend.client.connection import Connection
from backend.client.errors import ServerAway, ServerRefused
from backend.client.files import Files
from backend.client.intake import number
from backend.client.shipper import Shipper

PATIENCE = 10.0

log = logging.getLogger(__name__)


class ClientRun:
    """Log to it, ask it whether to halt, finish it; nothing here waits for the server but the end.

    As a context manager it finishes the run, or fails it when the block raises. A script that ends
    without either does the same at its exit.
    """

    def __init__(self, connection: Connection, url: str, run_id: int, token: str) -> None:
        self.id = run_id
        self.url = f"{url}/runs/{run_id}"
        self.step = self.episode = 0
        self._connection = connection
        self._token = token
        self._shipper = Shipper(connection, run_id, token)
        self._over = False
        atexit.register(self._at_exit)

    def log(
        self, values: Mapping[str, float], step: int | None = None, episode: int | None = None
    ) -> None:
        """Record values by metric name at an env step; what is left out is as it was last said."""
        if step is not None:
            self.step = step
        if episode is not None:
            self.episode = episode
        taken = {name: _taken(value) for name, value in values.items()}
        self._shipper.add((self.step, self.episode, time.time(), taken))

    def checkpoint(self, path: str | Path, step: int | None = None, kind: str = "manual") -> None:
        """Show saved files on the run's page; they stay the script's own.

        `kind` is interval, best, alert, halt, manual or final.

        Raises:
            FileNotFoundError: there is nothing at `path`.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"there is no checkpoint at {path}: save it first")
        self._shipper.register(Files(path, self.step if step is None else int(step), kind))

    def should_halt(self) -> bool:
        """Whether people or rules want the training to stop; known within about a second."""
        return self._shipper.desired != "run"

    @property
    def verdict(self) -> str:
        """What the rules say by now: go, conditional-go, no-go or too-early."""
        return self._shipper.verdict

    @property
    def lost(self) -> int:
        """Points that could not be stored; the log says why."""
        return self._shipper.lost

    def flush(self, timeout: float = PATIENCE) -> bool:
        """Ship now; whether everything said before has arrived within `timeout` seconds."""
        return self._shipper.flush(timeout)

    def finish(self, patience: float = PATIENCE) -> bool:
        """Ship what is left and end the run: halted or cancelled where that was asked, else finished.

        Returns:
            Whether everything arrived within `patience` seconds.
        """
        state = {"halt": "halted", "cancel": "cancelled"}
        return self._end(state.get(self._shipper.desired, "finished"), "as asked", patience)

    def fail(self, reason: str, patience: float = PATIENCE) -> bool:
        """Ship what is left and end the run as failed."""
        return self._end("failed", reason, patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self.finish()
        else:
            self.fail(_words(exc))

    def _end(self, state: str, reason: str, patience: float) -> bool:
        if self._over:
            return True
        self._over = True
        atexit.unregister(self._at_exit)
        arrived = self._shipper.close(patience)
        body = {"token": self._token, "state": state, "reason": reason[:2000]}
        try:
            self._connection.post(f"/runs/{self.id}/end", body)
        except (ServerAway, ServerRefused) as error:
            log.warning("the end of run %d was not recorded: %s", self.id, error)
            arrived = False
        self._connection.close()
        return arrived

    def _at_exit(self) -> None:
        # Python leaves here what ended the script, once it has printed it.
        error = getattr(sys, "last_value", None)
        if error is None:
            self.finish()
        else:
            self.fail(_words(error))


def _taken(value: Any) -> Any:
    """A value as it is now: a tensor may change in place before it is shipped, and holds its graph."""
    if isinstance(value, float | int):
        return value
    try:
        return number(value)
    except (TypeError, ValueError):  # named and counted with the others that are no number
        return value


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
