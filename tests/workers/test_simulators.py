"""A worker's servers: started on demand, replaced when dead or hung, never left behind."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from backend.database import Database
from backend.errors import InvalidConfig
from backend.settings import Settings
from backend.workers.models import Simulator
from backend.workers.service import (
    forget_unasked,
    lease,
    list_simulators,
    list_unfit,
    register_simulator,
    release,
    why_none_is_free,
)
from tests.product import is_alive
from tests.workers.conftest import answer_once, packed, until
from worker.addresses import parse_addresses
from worker.probe import free_port, server_version
from worker.rollcall import RollCall
from worker.server import (
    EMBEDDED,
    Server,
    SimulatorStartFailed,
    launch_command,
    launch_server,
    start_server,
)
from worker.simulators import OwnSimulators, RealSimulators, embedded_starter, make_simulators


@pytest.fixture
def simulators(database: Database, tmp_path: Path) -> Iterator[OwnSimulators]:
    simulators = OwnSimulators(database, "w", 1, embedded_starter(tmp_path))
    yield simulators
    simulators.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = start_server(EMBEDDED, tmp_path / "simulator.log")
    yield server
    server.kill()


def listed(database: Database) -> list[Simulator]:
    with database.read() as session:
        return list(list_simulators(session))


def listener_on(port: int) -> psutil.Process:
    return next(
        p
        for p in psutil.Process().children(recursive=True)
        if any(c.laddr.port == port for c in p.net_connections("tcp") if c.status == "LISTEN")
    )


def test_one_is_started_when_none_is_free_and_used_again_afterwards(
    database: Database, simulators: OwnSimulators
) -> None:
    simulators.prepare()
    (first,) = listed(database)
    assert (first.worker, first.embedded, first.version) == ("w", True, "0.9.16")
    simulators.prepare()
    with database.write() as session:
        assert lease(session, 1, "t", "w", 9000) is not None
    simulators.prepare()
    with database.write() as session:
        release(session, 1, "t")
    simulators.prepare()
    assert [s.id for s in listed(database)] == [first.id]


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_a_free_one_that_died_or_hangs_is_replaced(
    database: Database, simulators: OwnSimulators, fate: signal.Signals
) -> None:
    simulators.prepare()
    (old,) = listed(database)
    victim = listener_on(old.port)
    os.kill(victim.pid, fate)
    simulators.prepare()
    (new,) = listed(database)
    assert new.port != old.port
    assert not victim.is_running()
    assert server_version(new.host, new.port) == "0.9.16"


def test_a_leased_one_is_left_alone_even_when_it_hangs(
    database: Database, simulators: OwnSimulators
) -> None:
    simulators.prepare()
    (held,) = listed(database)
    with database.write() as session:
        lease(session, 1, "t", "w", 9000)
    victim = listener_on(held.port)
    os.kill(victim.pid, signal.SIGSTOP)
    simulators.prepare()
    assert [s.id for s in listed(database)] == [held.id]
    assert victim.is_running()


def test_closing_leaves_no_server(database: Database, simulators: OwnSimulators) -> None:
    simulators.prepare()
    (only,) = listed(database)
    simulators.close()
    assert server_version(only.host, only.port, timeout=0.5) is None


def test_a_server_ends_with_its_owner(server: Server) -> None:
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(timeout=60) is not None


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        ("raise SystemExit(3)", "ended with code"),
        ("print('no JSON', flush=True); input()", "was not ready"),
        ("print('[]', flush=True); input()", "was not ready"),
        ("print('{}', flush=True); input()", "was not ready"),
        ("print('half', end='', flush=True); input()", "was not ready"),
    ],
)
def test_one_that_does_not_come_up_is_an_error_that_names_the_log(
    tmp_path: Path, code: str, fate: str
) -> None:
    log = tmp_path / "s.log"
    began = time.monotonic()
    with pytest.raises(SimulatorStartFailed, match=f"{fate}.*s.log"):
        start_server([sys.executable, "-c", code], log, limit=1.0)
    assert time.monotonic() - began < 60


def leased(database: Database, token: str) -> Simulator | None:
    with database.write() as session:
        return lease(session, 1, token, "any worker", 9000)


def test_a_real_server_is_leased_while_it_answers_and_listed_with_the_reason_while_not(
    database: Database, server: Server
) -> None:
    dead = free_port()
    simulators = RealSimulators(database, [(server.host, server.port), ("127.0.0.1", dead)])
    simulators.look()
    found = {s.port: s for s in listed(database)}
    alive = found[server.port]
    assert (alive.worker, alive.embedded, alive.problem) == ("", False, "")
    assert (alive.version, alive.map) == ("0.9.16", "town")
    assert found[dead].problem.startswith(f"nothing listens on 127.0.0.1:{dead}: start CARLA")
    assert found[dead].seen_at is None
    held = leased(database, "t")
    assert held is not None
    assert held.id == alive.id
    server.kill()
    simulators.prepare()
    # Of one in use its trainer knows more.
    assert {s.port: s.problem for s in listed(database)}[server.port] == ""
    with database.write() as session:
        why = sorted(why_none_is_free(session, "any worker").split("; "))
        assert why[0] == f"127.0.0.1:{server.port} is in use by a run"
        assert why[1].startswith("nothing listens")
        release(session, 1, "t")
    simulators.prepare()
    assert all(s.problem.startswith("nothing listens") for s in listed(database))
    assert leased(database, "u") is None


def test_a_server_of_another_release_is_not_leased_for_it_would_end_the_client(
    database: Database, listener: socket.socket
) -> None:
    answer_once(listener, packed([[1, "0.9.15"]]))
    simulators = RealSimulators(database, [("127.0.0.1", listener.getsockname()[1])])
    simulators.look()
    (only,) = listed(database)
    assert only.problem.startswith("it is CARLA 0.9.15, the client here is 0.9.16")
    assert leased(database, "t") is None


def test_a_server_that_no_worker_names_any_more_is_struck_off_unless_in_use(
    database: Database,
) -> None:
    with database.write() as session:
        register_simulator(session, "used", 2000, 10.0)
        lease(session, 1, "t", "w", 9000)
        register_simulator(session, "own", 2000, 10.0, worker="w")
        register_simulator(session, "named", 2000, 30.0)
        list_unfit(session, "forgotten", 2000, 10.0, "nothing listens")
        forget_unasked(session, since=20.0)
    assert {s.host for s in listed(database)} == {"used", "own", "named"}


def test_the_roll_is_called_until_it_is_closed_and_goes_on_when_the_database_was_away(
    database: Database,
) -> None:
    simulators = RealSimulators(database, [("127.0.0.1", free_port())])
    with database.write() as session:
        session.execute(text("ALTER TABLE simulators RENAME TO away"))
    rollcall = RollCall(database, simulators, interval=0.05)
    rollcall.start()
    with database.write() as session:
        session.execute(text("ALTER TABLE away RENAME TO simulators"))
    until(lambda: listed(database))
    first = listed(database)[0].asked_at
    until(lambda: listed(database)[0].asked_at != first)
    rollcall.close()


def test_addresses_are_host_and_port_separated_by_commas() -> None:
    assert parse_addresses("a:1, b:2 ,10.0.0.3") == [("a", 1), ("b", 2), ("10.0.0.3", 2000)]
    assert parse_addresses("a:1,a:1") == [("a", 1)]
    for wrong in (
        "a:",
        "a:b",
        ":2000",
        "a:0",
        "a:70000",
        "::1",
        "[::1]:2000",
        "",
        ",",
        "http://a:1",
    ):
        with pytest.raises(InvalidConfig, match=r"is not host:port: write .* 127\.0\.0\.1:2000"):
            parse_addresses(wrong)


# What a user's command looks like: a shell script that starts the server, knowing nothing of an owner.
SCRIPT = f"sh -c '{sys.executable} -m worker.simulator --port {{port}} & wait'"


def test_a_users_command_starts_servers_that_end_with_the_worker(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, carla_command=SCRIPT)
    simulators = make_simulators(settings, database, "w")
    simulators.prepare()
    (only,) = listed(database)
    assert (only.worker, only.embedded, only.version) == ("w", False, "0.9.16")
    victim = listener_on(only.port)
    victim.kill()
    simulators.prepare()
    (again,) = listed(database)
    assert again.port != only.port
    second = listener_on(again.port)
    simulators.close()
    until(lambda: not second.is_running())


def test_a_launched_server_and_all_it_started_end_with_their_owner(tmp_path: Path) -> None:
    server = launch_server(SCRIPT, tmp_path / "carla.log", limit=60.0)
    started = psutil.Process(server.process.pid).children(recursive=True)
    assert len(started) >= 2
    assert server.process.stdin is not None
    server.process.stdin.close()
    until(lambda: not any(is_alive(process) for process in started))
    server.kill()


@pytest.mark.parametrize(
    ("command", "fate"), [("/no/such/CarlaUE4.sh {port}", "ended"), ("sleep 60{port}", "not ready")]
)
def test_a_command_that_brings_no_server_up_is_an_error_that_names_it(
    tmp_path: Path, command: str, fate: str
) -> None:
    with pytest.raises(SimulatorStartFailed, match=f"{fate}.*carla.log.*{command.split()[0]}"):
        launch_server(command, tmp_path / "carla.log", limit=1.5)


def test_a_command_template_says_where_the_port_goes() -> None:
    assert launch_command("./C.sh -carla-rpc-port={port} '-x {y}'", 2000) == [
        "./C.sh",
        "-carla-rpc-port=2000",
        "-x {y}",
    ]
    for wrong in ("./CarlaUE4.sh -RenderOffScreen", "./C.sh '{port}"):
        with pytest.raises(InvalidConfig, match="carla_command"):
            launch_command(wrong, 2000)


def test_servers_and_a_command_together_are_refused(database: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, carla="a:1", carla_command="x {port}")
    with pytest.raises(InvalidConfig, match="unset one"):
        make_simulators(settings, database, "w")
