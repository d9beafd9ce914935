"""`python -m worker.keeper COMMAND...`: runs a server that knows nothing of its owner, and ends it with stdin.

The server and all it starts stay in this process's group, which ends as one: when the owner, however it
dies, closes the pipe, and when the command ends but leaves something of itself behind.
"""

import os
import signal
import subprocess
import sys
from threading import Thread
from typing import NoReturn


def main() -> None:
    command = sys.argv[1:]
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")
    Thread(target=_watch_owner, daemon=True).start()
    code = server.wait()
    sys.stderr.write(f"{command[0]} ended with code {code}\n")
    sys.stderr.flush()
    _end_group()


def _watch_owner() -> None:
    while os.read(0, 4096):
        pass
    _end_group()


def _end_group() -> NoReturn:
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("SIGKILL returned")


if __name__ == "__main__":
    main()
