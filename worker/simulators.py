"""The CARLA servers a worker can use: its own embedded ones, started on demand, or real ones by address."""

import json
import logging
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import InvalidConfig, PitwallError
from backend.settings import Settings
from backend.workers.models import Simulator
from backend.workers.service import forget_simulator, list_simulators, register_simulator
from worker.probe import server_version

log = logging.getLogger(__name__)
EMBEDDED = (sys.executable, "-m", "worker.simulator", "--port", "0", "--owned")
START_LIMIT = 60.0


class SimulatorStartFailed(PitwallError):
    """An embedded simulator did not come up."""

    status = 503
    title = "Simulator did not start"


class Simulators(Protocol):
    """A worker's servers."""

    def prepare(self) -> None:
        """See to it that the registry lists what can be leased, and nothing that is dead."""

    def close(self) -> None:
        """The worker ends."""


def make_simulators(settings: Settings, database: Database, worker: str) -> Simulators:
    """Real servers if the settings name any, embedded ones otherwise."""
    if settings.carla:
        return RealSimulators(database, parse_addresses(settings.carla))
    return EmbeddedSimulators(database, worker, settings.slots, settings.logs_folder)


def parse_addresses(text: str) -> list[tuple[str, int]]:
    """`host:port,host:port`; a host alone has CARLA's own port."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, _, port = part.rpartition(":") if ":" in part else (part, "", "2000")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise InvalidConfig(
                {"carla": f"'{part}' is not host:port; several are separated by commas"}
            )
        found.append((host, int(port)))
    return found


class RealSimulators:
    """Servers that others run: listed while they answer, struck off while they do not."""

    def __init__(self, database: Database, addresses: Sequence[tuple[str, int]]) -> None:
        self._database = database
        self._addresses = addresses

    def prepare(self) -> None:
        versions = {a: server_version(*a) for a in self._addresses}
        with self._database.write() as session:
            for (host, port), version in versions.items():
                if version is not None:
                    register_simulator(session, host, port, time.time(), version=version)
                elif not _is_leased(session, host, port):
                    forget_simulator(session, host, port)

    def close(self) -> None:
        """They go on without us."""


@dataclass
class Server:
    """One embedded server: a child process that ends when its stdin does."""

    process: subprocess.Popen[bytes]
    host: str
    port: int

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        # SIGKILL: a stopped (SIGSTOP) server hears nothing else, and a server has nothing to save.
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


class EmbeddedSimulators:
    """This worker's own servers, at most one a slot. Not thread-safe: the caller holds the claim lock."""

    def __init__(
        self,
        database: Database,
        worker: str,
        slots: int,
        logs: Path,
        command: Sequence[str] = EMBEDDED,
    ) -> None:
        self._database = database
        self._worker = worker
        self._slots = slots
        self._logs = logs
        self._command = command
        self._servers: list[Server] = []

    def prepare(self) -> None:
        """Replace dead and hung servers, and start one if none is free."""
        free = [s for s in list(self._servers) if not self._in_use(s) and self._keep(s)]
        if not free and len(self._servers) < self._slots:
            self._start()

    def close(self) -> None:
        for server in self._servers:
            server.kill()
        self._servers = []

    def _in_use(self, server: Server) -> bool:
        """Leased and running; a hung one is its trainer's to notice, by the client's time-out."""
        with self._database.read() as session:
            return server.is_alive and _is_leased(session, server.host, server.port)

    def _keep(self, server: Server) -> bool:
        if server.is_alive and server_version(server.host, server.port):
            return True
        log.warning("simulator %s:%s is dead or hung, replacing it", server.host, server.port)
        server.kill()
        self._servers.remove(server)
        with self._database.write() as session:
            forget_simulator(session, server.host, server.port)
        return False

    def _start(self) -> None:
        server = start_server(self._command, self._logs / "simulator.log")
        self._servers.append(server)
        version = server_version(server.host, server.port, timeout=10.0) or ""
        with self._database.write() as session:
            register_simulator(
                session, server.host, server.port, time.time(), self._worker, version
            )


def _is_leased(session: Session, host: str, port: int) -> bool:
    return any(
        s.leased_run_id is not None for s in list_simulators(session) if _is_at(s, host, port)
    )


def _is_at(simulator: Simulator, host: str, port: int) -> bool:
    return (simulator.host, simulator.port) == (host, port)


def start_server(command: Sequence[str], log_path: Path, limit: float = START_LIMIT) -> Server:
    """Start a server and wait for the line `{"host": ..., "port": ...}` that says it is ready.

    Raises:
        SimulatorStartFailed: it ended, or was not ready within `limit` seconds.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            # Ctrl-C in a terminal is for the worker alone: it decides when its servers end.
            start_new_session=True,
        )
    server = Server(process, "", 0)
    try:
        ready = json.loads(_first_line(process, limit))
        server.host, server.port = ready["host"], int(ready["port"])
    except (ValueError, KeyError, TypeError) as error:
        fate = _fate(process, limit)
        server.kill()
        raise SimulatorStartFailed(
            f"the simulator {fate}, see {log_path}: {' '.join(command)}"
        ) from error
    return server


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
