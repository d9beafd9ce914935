"""The real worker on a real Valkey: hints in, attempts out."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from backend.broker import hint_sender
from backend.database import Database
from backend.ladders.climbing import list_stages
from backend.ladders.parse import parse_plan
from backend.ladders.plan import StageState
from backend.ladders.service import start_ladder
from backend.runs import service
from backend.runs.dispatcher import Dispatcher
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.states import RunState
from backend.settings import Settings
from backend.workers.models import Simulator
from backend.workers.service import list_simulators, list_workers
from tests.runs.conftest import PENDULUM
from tests.workers.conftest import Broker, until
from worker.probe import free_port

Read = Callable[[int], Run]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def settings(settings: Settings, broker: Broker) -> Settings:
    return settings.model_copy(
        update={"broker_url": broker.url, "stop_timeout": 5.0, "heartbeat_ttl": 5.0}
    )


@pytest.fixture
def start_worker(settings: Settings) -> Iterator[Start]:
    """Starts workers; none is left when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(mode: str = "obey", **more: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **settings.as_environment(), **more}
        log = (settings.data / f"worker-{len(started)}.log").open("wb")
        command = [sys.executable, "-m", "tests.workers.worker", mode]
        with log:
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def dispatching(database: Database, settings: Settings) -> Iterator[Dispatcher]:
    with Dispatcher(database, settings, hint_sender(settings), interval=0.1) as dispatcher:
        yield dispatcher


def queue_run(database: Database) -> int:
    with database.write() as session:
        config = parse_config("quickstart", PENDULUM)
        return service.create_run(session, "", "quickstart", config, time.time()).id


def test_a_queued_run_is_taken_halted_resumed_and_drained(
    database: Database, dispatching: Dispatcher, start_worker: Start, run_now: Read
) -> None:
    process = start_worker()
    run_id = queue_run(database)
    until(lambda: run_now(run_id).step >= 2)
    with database.write() as session:
        service.request_halt(session, run_id, time.time())
    until(lambda: run_now(run_id).state == RunState.HALTED)
    halted_at = run_now(run_id).step
    with database.write() as session:
        service.request_resume(session, run_id, time.time())
    until(lambda: run_now(run_id).state == RunState.RUNNING)
    assert run_now(run_id).attempt == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    run = run_now(run_id)
    assert (run.state, run.restart_reason, run.crashes) == (RunState.QUEUED, "drain", 0)
    assert halted_at > 0
    with database.read() as session:
        assert list_workers(session) == []


def test_named_servers_are_listed_as_soon_as_a_worker_runs(
    database: Database, start_worker: Start
) -> None:
    start_worker(PITWALL_CARLA=f"127.0.0.1:{free_port()},no-such-host.invalid")
    until(lambda: len(listed(database)) == 2)
    known = [(simulator.host, simulator.problem) for simulator in listed(database)]
    assert known[0][1].startswith("nothing listens on 127.0.0.1")
    assert known[1] == (
        "no-such-host.invalid",
        "the host 'no-such-host.invalid' is not known here: correct its name",
    )


def listed(database: Database) -> Sequence[Simulator]:
    with database.read() as session:
        return list_simulators(session)


def test_one_hint_too_many_trains_nothing_twice(
    database: Database, settings: Settings, start_worker: Start, run_now: Read
) -> None:
    start_worker()
    start_worker()
    run_id = queue_run(database)
    send = hint_sender(settings)
    for _ in range(6):
        send(run_id)
    until(lambda: run_now(run_id).step >= 3)
    time.sleep(1)
    assert run_now(run_id).attempt == 1
    with database.read() as session:
        assert len(service.list_segments(session, run_id)) == 1


def test_a_busy_worker_leaves_the_next_run_to_an_idle_one(
    database: Database, dispatching: Dispatcher, start_worker: Start, run_now: Read
) -> None:
    start_worker()
    first = queue_run(database)
    until(lambda: run_now(first).state == RunState.RUNNING)
    second = queue_run(database)
    time.sleep(0.5)
    assert run_now(second).state == RunState.QUEUED
    start_worker()
    until(lambda: run_now(second).state == RunState.RUNNING)
    assert run_now(first).worker != run_now(second).worker


def test_a_worker_trains_as_many_runs_as_it_has_slots(
    database: Database, dispatching: Dispatcher, start_worker: Start, run_now: Read
) -> None:
    start_worker(PITWALL_SLOTS="2")
    runs = [queue_run(database) for _ in range(2)]
    until(lambda: all(run_now(run_id).step >= 2 for run_id in runs))


def test_a_broker_that_restarts_costs_nothing_but_time(
    database: Database,
    dispatching: Dispatcher,
    broker: Broker,
    start_worker: Start,
    run_now: Read,
) -> None:
    start_worker(PITWALL_SLOTS="2")
    first = queue_run(database)
    until(lambda: run_now(first).step >= 2)
    broker.stop()
    second = queue_run(database)
    time.sleep(1)
    before = run_now(first).step
    broker.start()
    until(lambda: run_now(second).state == RunState.RUNNING, seconds=40)
    assert run_now(first).step > before
    assert run_now(first).attempt == 1


def test_with_the_dashboard_gone_the_worker_finds_queued_runs_itself(
    database: Database, start_worker: Start, run_now: Read
) -> None:
    run_id = queue_run(database)
    start_worker("finish")
    until(lambda: run_now(run_id).state == RunState.FINISHED)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_alone_moves_a_ladder_to_its_next_stage(
    database: Database, settings: Settings, start_worker: Start
) -> None:
    """No API, no other dispatcher: what the command line starts, a worker brings to its end."""
    stage = {"preset": "quickstart", "config": PENDULUM, "gates": "none", "verdict": "ignored"}
    stages = [{"name": "first", **stage}, {"name": "second", **stage}]
    with database.write() as session:
        plan = parse_plan(session, {"name": "Two", "stages": stages})
        ladder_id = start_ladder(session, plan, "Ada", time.time()).id
    start_worker("finish")

    def second() -> str:
        with database.read() as session:
            row = list_stages(session, ladder_id)[1]
            return service.get_run(session, row.run_id).state if row.run_id else ""

    until(lambda: second() == RunState.FINISHED)
    with database.read() as session:
        assert list_stages(session, ladder_id)[0].state == StageState.PASSED
