"""Real child processes with one habit each, and what the run's row says in the end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import psutil
import pytest

from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.events import list_events
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.states import CommandState, RunState
from backend.settings import Settings
from backend.workers.service import register_simulator
from tests.runs.conftest import PENDULUM
from tests.workers.conftest import trainer, until
from worker.probe import free_port
from worker.supervisor import Ending, Supervisor
from worker.watch import Limits

Read = Callable[[int], Run]
# Only trainers that do not obey meet short limits: the others may be slow on a busy machine.
PATIENT = Limits(look=0.05, beat=0.1, leave=30)
STRICT = {"deaf": replace(PATIENT, stop=0.6), "stall": replace(PATIENT, stall=1)}


class Attempt:
    """A claimed run whose trainer a supervisor watches in a thread."""

    def __init__(self, database: Database, settings: Settings, mode: str, **overrides: Any) -> None:
        self.database = database
        self.draining = threading.Event()
        with database.write() as session:
            config = parse_config("quickstart", {**PENDULUM, **overrides})
            if config.is_carla:
                register_simulator(session, "127.0.0.1", free_port(), time.time())
            run = service.create_run(session, "", "quickstart", config, time.time())
            claim = attempts.claim(session, run.id, "w", time.time())
        assert claim is not None
        self.claim: Claim = claim
        self.run_id = claim.run_id
        self.ending: Ending | None = None
        supervisor = Supervisor(
            database,
            settings,
            claim,
            self.draining,
            command=trainer(mode)(claim),
            limits=STRICT.get(mode, PATIENT),
        )
        self._thread = threading.Thread(target=lambda: setattr(self, "ending", supervisor.run()))
        self._thread.start()

    def end(self) -> Ending:
        self._thread.join(timeout=90)
        assert self.ending is not None, "the supervisor did not return"
        return self.ending

    def run(self) -> Run:
        with self.database.read() as session:
            return service.get_run(session, self.run_id)

    def wait_for_steps(self, count: int = 2) -> None:
        until(lambda: self.run().step >= count)

    def messages(self) -> str:
        with self.database.read() as session:
            return "\n".join(e.message for e in list_events(session, self.run_id))

    def process(self) -> psutil.Process:
        return next(
            p
            for p in psutil.process_iter(["cmdline"])
            if self.claim.token in (p.info["cmdline"] or [])
        )


Begin = Callable[..., Attempt]


@pytest.fixture
def begin(database: Database, settings: Settings) -> Begin:
    return partial(Attempt, database, settings)


def test_a_trainer_that_finishes_leaves_a_finished_run_and_proof(begin: Begin) -> None:
    attempt = begin("finish")
    assert attempt.end() == Ending(0, True, RunState.FINISHED)
    assert "ended with exit code 0; its process group is gone" in attempt.messages()


def test_a_halt_is_obeyed(begin: Begin, database: Database) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        service.request_halt(session, attempt.run_id, time.time())
    until(lambda: attempt.run().state == RunState.HALTED)
    assert attempt.end() == Ending(75, True, RunState.HALTED)


def test_a_cancel_wins_over_a_halt(begin: Begin, database: Database) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        service.request_halt(session, attempt.run_id, time.time())
        service.request_cancel(session, attempt.run_id, time.time())
    assert attempt.end().state is RunState.CANCELLED


def test_a_checkpoint_asked_for_is_written_while_training_goes_on(
    begin: Begin, database: Database
) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        command = service.request_checkpoint(session, attempt.run_id, time.time())

    def done() -> bool:
        with database.read() as session:
            found = service.list_commands(session, attempt.run_id)
            return any(c.id == command.id and c.state == CommandState.DONE for c in found)

    until(done)
    assert attempt.run().state == RunState.RUNNING
    assert attempt.run().resume_checkpoint_id is not None
    attempt.draining.set()
    attempt.end()


def test_a_rollback_of_a_running_run_queues_it_from_the_chosen_checkpoint(
    begin: Begin, database: Database
) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        service.request_checkpoint(session, attempt.run_id, time.time())
    until(lambda: attempt.run().resume_checkpoint_id)
    chosen = attempt.run().resume_checkpoint_id
    assert chosen is not None
    with database.write() as session:
        service.request_rollback(session, attempt.run_id, chosen, time.time())
    assert attempt.end() == Ending(75, True, RunState.QUEUED)
    run = attempt.run()
    assert (run.resume_checkpoint_id, run.restart_reason) == (chosen, "rollback")


def test_a_drain_saves_and_requeues_without_blame(begin: Begin) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    attempt.draining.set()
    assert attempt.end() == Ending(75, True, RunState.QUEUED)
    run = attempt.run()
    assert (run.crashes, run.restart_reason) == (0, "drain")
    assert run.resume_checkpoint_id is not None


def test_a_deaf_trainer_is_killed_with_all_it_started_and_its_halt_is_fulfilled(
    begin: Begin, database: Database
) -> None:
    attempt = begin("deaf")
    attempt.wait_for_steps()
    family = [attempt.process(), *attempt.process().children(recursive=True)]
    assert len(family) == 2
    with database.write() as session:
        service.request_halt(session, attempt.run_id, time.time())
    ending = attempt.end()
    assert (ending.code, ending.state) == (-signal.SIGKILL, RunState.HALTED)
    until(lambda: not any(p.is_running() and p.status() != "zombie" for p in family))
    for rung in ("SIGTERM sent", "SIGKILL sent"):
        assert rung in attempt.messages()


def test_a_deaf_trainer_of_a_draining_worker_is_killed_and_requeued(begin: Begin) -> None:
    attempt = begin("deaf")
    attempt.wait_for_steps()
    attempt.draining.set()
    ending = attempt.end()
    assert (ending.code, ending.state) == (-signal.SIGKILL, RunState.QUEUED)
    assert attempt.run().crashes == 0


def test_heartbeats_without_steps_are_a_stall(begin: Begin) -> None:
    attempt = begin("stall")
    ending = attempt.end()
    assert (ending.code, ending.state) == (-signal.SIGKILL, RunState.QUEUED)
    assert "stalled: driving at step 1 without progress" in attempt.run().state_reason


@pytest.mark.parametrize("traffic", [False, True])
def test_an_abort_on_a_dead_simulator_is_a_simulator_failure(begin: Begin, traffic: bool) -> None:
    attempt = begin("abort", environment="carla", traffic=traffic)
    assert attempt.end().state is RunState.QUEUED
    run = attempt.run()
    assert "SIGABRT (the CARLA client aborts when" in run.state_reason
    assert run.restart_reason == "simulator"


def test_a_trainer_that_lost_its_simulator_says_so(begin: Begin) -> None:
    attempt = begin("lose_simulator")
    assert attempt.end().state is RunState.QUEUED
    run = attempt.run()
    assert run.state_reason == "the simulator was lost: simulator 127.0.0.1:2000 hangs"
    assert run.restart_reason == "simulator"


def test_simulators_lost_again_and_again_without_progress_fail_the_run(
    begin: Begin, database: Database, settings: Settings
) -> None:
    attempt = begin("lose_simulator")
    attempt.end()
    for _ in range(settings.max_crashes):
        with database.write() as session:
            claim = attempts.claim(session, attempt.run_id, "w", time.time() + 100)
        assert claim is not None
        command = trainer("lose_simulator")(claim)
        Supervisor(database, settings, claim, attempt.draining, command=command).run()
    run = attempt.run()
    assert run.state == RunState.FAILED
    assert run.state_reason.startswith("crashed 3 times without a new checkpoint, last: the simul")


def test_an_abort_of_a_trainer_without_a_simulator_is_a_crash(begin: Begin) -> None:
    attempt = begin("abort")
    attempt.end()
    assert attempt.run().restart_reason == "crash"


def test_a_crash_tells_the_error_the_trainer_died_of(begin: Begin) -> None:
    attempt = begin("fail")
    assert attempt.end() == Ending(1, True, RunState.QUEUED)
    run = attempt.run()
    assert run.state_reason == "exit code 1: RuntimeError: the road is out"
    assert (run.crashes, run.restart_reason) == (1, "crash")


def test_a_trainer_that_leaves_without_a_word_has_crashed(begin: Begin) -> None:
    attempt = begin("vanish")
    assert attempt.end() == Ending(75, True, RunState.QUEUED)
    assert attempt.run().crashes == 1


def test_a_killed_trainer_is_queued_again_from_its_last_checkpoint(
    begin: Begin, database: Database
) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        service.request_checkpoint(session, attempt.run_id, time.time())
    until(lambda: attempt.run().resume_checkpoint_id)
    os.kill(attempt.process().pid, signal.SIGKILL)
    ending = attempt.end()
    assert (ending.code, ending.state) == (-signal.SIGKILL, RunState.QUEUED)
    assert attempt.run().resume_checkpoint_id is not None
    # whatever it printed last is no reason
    assert attempt.run().state_reason.endswith("by a person or for lack of memory)")


def test_a_fenced_trainer_leaves_without_touching_the_run(begin: Begin, database: Database) -> None:
    attempt = begin("obey")
    attempt.wait_for_steps()
    with database.write() as session:
        attempts.crashed(session, attempt.run_id, attempt.claim.token, "thought dead", 0.0, 5)
        second = attempts.claim(session, attempt.run_id, "other", 100.0)
    assert second is not None
    assert attempt.end() == Ending(76, True, RunState.STARTING)
    assert attempt.run().token == second.token


def test_a_deaf_fenced_trainer_is_killed(begin: Begin, database: Database) -> None:
    attempt = begin("deaf")
    attempt.wait_for_steps()
    os.kill(attempt.process().pid, signal.SIGSTOP)
    with database.write() as session:
        attempts.crashed(session, attempt.run_id, attempt.claim.token, "thought dead", 0.0, 5)
    assert attempt.end().code == -signal.SIGKILL
    assert attempt.run().state == RunState.QUEUED
