"""One long-lived child process: started, restarted with a back-off, and never left behind."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LONGEST_BACK_OFF = 30.0
GOOD_LIFE = 60.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Recipe:
    """How to start a child, and how long it may take to end after SIGTERM."""

    name: str
    command: Sequence[str]
    log_path: Path
    farewell: float = 5.0


class Child:
    """A process that the kernel tells (SIGTERM) when this process dies, however it dies.

    Create and start it in the main thread: the kernel watches the thread that forked.
    """

    def __init__(
        self, recipe: Recipe, environment: Mapping[str, str], inherited: Sequence[int] = ()
    ) -> None:
        self.recipe = recipe
        self._environment = {**os.environ, **environment}
        self._inherited = tuple(inherited)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._restart_at = 0.0
        self._failures = 0

    def start(self) -> None:
        self.recipe.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.recipe.log_path.open("ab") as log_file:
            self._process = subprocess.Popen(
                self.recipe.command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env=self._environment,
                pass_fds=self._inherited,
                # Ctrl-C reaches only the parent, which ends its children in order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        self._started = time.monotonic()

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll() if self._process else None

    def revive(self, say: Callable[[str], None]) -> None:
        """Restart it if it has died: at first at once, then ever later while it keeps dying."""
        now, code = time.monotonic(), self.exit_code
        if code is None:
            return
        if not self._restart_at:
            self._failures = 0 if now - self._started > GOOD_LIFE else self._failures + 1
            wait = min(LONGEST_BACK_OFF, 2.0**self._failures / 2)
            self._restart_at = now + wait
            say(
                f"{self.recipe.name} ended with code {code}, starting it again in {wait:.0f} s; "
                f"see {self.recipe.log_path}"
            )
        elif now >= self._restart_at:
            self._restart_at = 0.0
            self.start()

    def ask_to_end(self) -> None:
        if self._process and self.exit_code is None:
            self._process.terminate()

    def end(self, hurried: Callable[[], bool]) -> None:
        """SIGTERM, then SIGKILL of its group after its farewell, or as soon as `hurried`."""
        self.ask_to_end()
        give_up = time.monotonic() + self.recipe.farewell
        while self.exit_code is None and time.monotonic() < give_up and not hurried():
            time.sleep(0.05)
        self.kill()

    def kill(self) -> None:
        if self._process and self.exit_code is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        text = self.recipe.log_path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def _die_with(parent: int) -> Callable[[], None]:
    """For the child between fork and exec: SIGTERM when the parent ends, even by SIGKILL."""

    def bind() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return bind
