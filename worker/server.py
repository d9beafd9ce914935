"""One CARLA server that this process owns: started, waited for, killed with all it started."""

import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.errors import InvalidConfig, PitwallError
from worker.probe import free_port_range, server_version

EMBEDDED = (sys.executable, "-m", "worker.simulator", "--port", "0", "--owned")
KEEPER = (sys.executable, "-m", "worker.keeper")
START_LIMIT = 60.0
PORT = "{port}"
# CARLA listens on the port it is given and on the two after it.
CARLA_PORTS = 3
ANSWER_EVERY = 0.5


class SimulatorStartFailed(PitwallError):
    """A simulator did not come up."""

    status = 503
    title = "Simulator did not start"


@dataclass
class Server:
    """A child process, leader of its own group, that ends when its stdin does."""

    process: subprocess.Popen[bytes]
    host: str
    port: int

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        # SIGKILL: a stopped (SIGSTOP) server hears nothing else, and a server has nothing to save.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def start_server(command: Sequence[str], log_path: Path, limit: float = START_LIMIT) -> Server:
    """Start a server and wait for the line `{"host": ..., "port": ...}` that says it is ready.

    Raises:
        SimulatorStartFailed: it ended, or was not ready within `limit` seconds.
    """
    process = _spawn(command, log_path, stdout=subprocess.PIPE)
    server = Server(process, "", 0)
    try:
        ready = json.loads(_first_line(process, limit))
        server.host, server.port = ready["host"], int(ready["port"])
    except (ValueError, KeyError, TypeError) as error:
        raise _failed(server, command, log_path, limit) from error
    return server


def launch_server(template: str, log_path: Path, limit: float) -> Server:
    """Start a server by a user's command, on a free port of this machine, and wait until it answers.

    Raises:
        InvalidConfig: the command does not say where the port goes.
        SimulatorStartFailed: it ended, or did not answer within `limit` seconds.
    """
    port = free_port_range(CARLA_PORTS)
    command = [*KEEPER, *launch_command(template, port)]
    server = Server(_spawn(command, log_path, stdout=None), "127.0.0.1", port)
    give_up = time.monotonic() + limit
    while server.is_alive and time.monotonic() < give_up:
        if server_version(server.host, server.port):
            return server
        time.sleep(ANSWER_EVERY)
    raise _failed(server, command, log_path, limit)


def launch_command(template: str, port: int) -> list[str]:
    """The words of a command template with the port put in.

    Raises:
        InvalidConfig: it is no command, or does not say where the port goes.
    """
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise InvalidConfig({"carla_command": f"{template}: {error}"}) from None
    if not any(PORT in word for word in words):
        raise InvalidConfig(
            {"carla_command": f"'{template}' does not contain {PORT}: write -carla-rpc-port={PORT}"}
        )
    return [word.replace(PORT, str(port)) for word in words]


def _spawn(command: Sequence[str], log_path: Path, stdout: int | None) -> subprocess.Popen[bytes]:
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log_file:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=stdout or log_file,
            stderr=log_file,
            # Ctrl-C in a terminal is for the worker alone: it decides when its servers end.
            start_new_session=True,
        )


def _failed(
    server: Server, command: Sequence[str], log_path: Path, limit: float
) -> SimulatorStartFailed:
    fate = _fate(server.process, limit)
    server.kill()
    return SimulatorStartFailed(f"the simulator {fate}, see {log_path}: {' '.join(command)}")


def _fate(process: subprocess.Popen[bytes], limit: float) -> str:
    try:
        return f"ended with code {process.wait(timeout=0.5)}"
    except subprocess.TimeoutExpired:
        return f"was not ready in {limit:.0f} s"


def _first_line(process: subprocess.Popen[bytes], limit: float) -> bytes:
    """What the child prints first, or as much of it as comes before the limit or its end."""
    assert process.stdout is not None
    give_up, line = time.monotonic() + limit, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(give_up - time.monotonic()):
            byte = os.read(process.stdout.fileno(), 1)
            if not byte:
                break
            line += byte
    return line
