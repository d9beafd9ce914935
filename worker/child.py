"""The trainer as an operating-system process: spawned, signalled, killed with its group, proven gone."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TAIL_BYTES = 4000
# The exit code of a trainer that lost its simulator and said so.
SIMULATOR_LOST = 77
CRASH_SIGNALS = {
    signal.SIGABRT: "the CARLA client aborts when the server of a live Traffic Manager is lost",
    signal.SIGSEGV: "the CARLA client crashed",
    signal.SIGKILL: "killed from outside, by a person or for lack of memory",
}


class Child:
    """One exec'd child, leader of its own session and process group, with a pipe as its lifeline.

    The child reads end-of-file from stdin when this process dies, however it dies.
    """

    def __init__(
        self, command: Sequence[str], log_path: Path, environment: Mapping[str, str]
    ) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log_path = log_path
        with log_path.open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Looks without reaping: while the leader is unreaped, its number names no other group."""
        if self._process.returncode is not None:
            return True
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.pid, options) is not None

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        give_up = time.monotonic() + seconds
        while not self.has_ended:
            if time.monotonic() >= give_up:
                return False
            time.sleep(0.05)
        return True

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the child and everything it started in its group."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Kill what is left of the group and return the exit code; negative: the signal's number."""
        self.kill()
        if self._process.stdin:
            self._process.stdin.close()
        return self._process.wait()

    @property
    def is_gone(self) -> bool:
        """Neither the child nor any of its group exists."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def tail(self) -> str:
        """The end of what it printed."""
        with self.log_path.open("rb") as log_file:
            log_file.seek(0, os.SEEK_END)
            log_file.seek(max(0, log_file.tell() - TAIL_BYTES))
            return log_file.read().decode(errors="replace")


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code == SIMULATOR_LOST:
        return "the simulator was lost"
    if code >= 0:
        return f"exit code {code}"
    number = signal.Signals(-code)
    why = f" ({CRASH_SIGNALS[number]})" if number in CRASH_SIGNALS else ""
    return f"signal {number.name}{why}"
