"""The CARLA servers a worker can use: its own, started on demand, or others' by address."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from backend.database import Database
from backend.errors import InvalidConfig
from backend.settings import Settings
from backend.workers.models import Simulator
from backend.workers.service import (
    forget_simulator,
    list_simulators,
    list_unfit,
    register_simulator,
)
from worker.addresses import CARLA_PORT, parse_addresses
from worker.probe import Answer, NoAnswer, ask, misfit, server_version
from worker.server import EMBEDDED, Server, launch_command, launch_server, start_server

log = logging.getLogger(__name__)
Start = Callable[[], Server]
MOST_ASKED_AT_ONCE = 16


class Simulators(Protocol):
    """A worker's servers."""

    def prepare(self) -> None:
        """See to it that the registry lists what can be leased, and nothing dead as such."""

    def look(self) -> None:
        """Bring up to date what the registry says of servers that others run."""

    def close(self) -> None:
        """The worker ends."""


def make_simulators(settings: Settings, database: Database, worker: str) -> Simulators:
    """Servers the settings name, or its own: launched by a command, embedded ones otherwise.

    Raises:
        InvalidConfig: the settings name servers and a command, or either wrongly.
    """
    check_simulators(settings)
    if settings.carla:
        return RealSimulators(database, parse_addresses(settings.carla))
    embedded = not settings.carla_command
    return OwnSimulators(database, worker, settings.slots, starter(settings), embedded=embedded)


def check_simulators(settings: Settings) -> None:
    """Refuse settings of which no simulators can be made.

    Raises:
        InvalidConfig: they name servers and a command, or either wrongly.
    """
    if settings.carla and settings.carla_command:
        raise InvalidConfig(
            {"carla_command": f"PITWALL_CARLA names servers already ({settings.carla}): unset one"}
        )
    if settings.carla:
        parse_addresses(settings.carla)
    if settings.carla_command:
        launch_command(settings.carla_command, port=CARLA_PORT)


def starter(settings: Settings) -> Start:
    """How the settings start a server of one's own.

    Raises:
        InvalidConfig: the command template is none.
    """
    command, limit, folder = settings.carla_command, settings.carla_start, settings.logs_folder
    if not command:
        return embedded_starter(folder)
    launch_command(command, port=CARLA_PORT)
    return lambda: launch_server(command, folder / "carla.log", limit)


def embedded_starter(folder: Path, command: Sequence[str] = EMBEDDED) -> Start:
    return lambda: start_server(command, folder / "simulator.log")


class RealSimulators:
    """Servers that others run: listed with whether they answer, and only leased while they do."""

    def __init__(self, database: Database, addresses: Sequence[tuple[str, int]]) -> None:
        self._database = database
        self._addresses = addresses

    def prepare(self) -> None:
        self.look()

    def look(self) -> None:
        with self._database.read() as session:
            in_use = [_is_leased(session, *address) for address in self._addresses]
        # All at once: one that does not answer must not make the others wait.
        with ThreadPoolExecutor(min(len(self._addresses), MOST_ASKED_AT_ONCE)) as pool:
            answers = list(pool.map(_answer, self._addresses, in_use))
        with self._database.write() as session:
            for (host, port), answer in zip(self._addresses, answers, strict=True):
                _note(session, host, port, answer)

    def close(self) -> None:
        """They go on without us."""


def _answer(address: tuple[str, int], in_use: bool) -> Answer | str:
    """What the server says of itself, or why a run could not use it."""
    try:
        # The map of one in use its trainer tells; asking would take time from the server's ticks.
        answer = ask(*address, for_map=not in_use)
    except NoAnswer as error:
        return str(error)
    return misfit(answer.version) or answer


def _note(session: Session, host: str, port: int, answer: Answer | str) -> None:
    if isinstance(answer, Answer):
        listed = register_simulator(session, host, port, time.time(), version=answer.version)
        listed.map = answer.map or listed.map
    elif not _is_leased(session, host, port):
        # Of one in use its trainer knows more, and releases it when it is lost.
        list_unfit(session, host, port, time.time(), answer)


class OwnSimulators:
    """This worker's own servers, at most one a slot. Not thread-safe: the caller holds the claim lock."""

    def __init__(
        self, database: Database, worker: str, slots: int, start: Start, *, embedded: bool = True
    ) -> None:
        self._database = database
        self._worker = worker
        self._slots = slots
        self._start_server = start
        self._embedded = embedded
        self._servers: list[Server] = []

    def prepare(self) -> None:
        """Replace dead and hung servers, and start one if none is free."""
        free = [s for s in list(self._servers) if not self._in_use(s) and self._keep(s)]
        if not free and len(self._servers) < self._slots:
            self._start()

    def look(self) -> None:
        """They are its own: it looks after them when a run wants one."""

    def close(self) -> None:
        for server in self._servers:
            server.kill()
        self._servers = []

    def _in_use(self, server: Server) -> bool:
        """Leased and running; a hung one is its trainer's to notice, by its lookout."""
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
        server = self._start_server()
        self._servers.append(server)
        version = server_version(server.host, server.port, timeout=10.0) or ""
        with self._database.write() as session:
            register_simulator(
                session,
                server.host,
                server.port,
                time.time(),
                self._worker,
                version,
                embedded=self._embedded,
            )


def _is_leased(session: Session, host: str, port: int) -> bool:
    return any(
        s.leased_run_id is not None for s in list_simulators(session) if _is_at(s, host, port)
    )


def _is_at(simulator: Simulator, host: str, port: int) -> bool:
    return (simulator.host, simulator.port) == (host, port)
