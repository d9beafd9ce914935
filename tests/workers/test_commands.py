"""What the trainer's listener hears, from the database, from signals and from the supervisor's end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.parsing import parse_config
from backend.runs.states import CommandState
from tests.runs.conftest import PENDULUM, saved
from tests.workers.conftest import until
from worker.commands import CommandListener, Request, RequestKind


@pytest.fixture
def claim(database: Database) -> Claim:
    with database.write() as session:
        config = parse_config("quickstart", PENDULUM)
        run = service.create_run(session, "", "quickstart", config, time.time())
        claim = attempts.claim(session, run.id, "w", time.time())
        assert claim is not None
        attempts.mark_running(session, claim.run_id, claim.token, time.time())
    return claim


@pytest.fixture
def commands(database: Database, claim: Claim) -> Iterator[CommandListener]:
    before = signal.getsignal(signal.SIGTERM)
    with CommandListener(
        database, claim.run_id, claim.token, interval=0.02, lifeline=None
    ) as commands:
        yield commands
    signal.signal(signal.SIGTERM, before)


def heard(commands: CommandListener) -> Request:
    until(lambda: commands.stop_requested or commands._commands)
    request = commands.poll()
    assert request is not None
    return request


def test_nothing_asked_is_nothing_heard(commands: CommandListener) -> None:
    time.sleep(0.1)
    assert commands.poll() is None
    assert not commands.stop_requested


def test_a_stop_is_heard_again_and_again_and_says_who_wants_it(
    database: Database, claim: Claim, commands: CommandListener
) -> None:
    with database.write() as session:
        service.request_halt(session, claim.run_id, time.time(), by="Ada")
    request = heard(commands)
    assert (request.kind, request.reason) == (RequestKind.HALT, "halt asked by Ada")
    assert commands.poll() == request


def test_a_cancel_after_a_halt_wins(
    database: Database, claim: Claim, commands: CommandListener
) -> None:
    with database.write() as session:
        service.request_halt(session, claim.run_id, time.time())
    heard(commands)
    with database.write() as session:
        service.request_cancel(session, claim.run_id, time.time())
    until(lambda: heard(commands).kind is RequestKind.CANCEL)


def test_commands_come_once_in_order_and_are_answered(
    database: Database, claim: Claim, commands: CommandListener
) -> None:
    with database.write() as session:
        chosen = saved(session, claim, 5)
        service.request_checkpoint(session, claim.run_id, time.time())
        service.request_rollback(session, claim.run_id, chosen.id, time.time())
    first, second = heard(commands), heard(commands)
    assert first.kind is RequestKind.CHECKPOINT
    assert (second.kind, second.checkpoint_id) == (RequestKind.ROLLBACK, chosen.id)
    assert commands.poll() == second
    commands.answer(first, ok=True, result="step 5")
    commands.answer(second, ok=False, result="no room on the disk")

    def states() -> list[tuple[str, str]]:
        with database.read() as session:
            found = service.list_commands(session, claim.run_id)
            return [(c.state, c.result) for c in found]

    until(
        lambda: (
            states()
            == [(CommandState.FAILED, "no room on the disk"), (CommandState.DONE, "step 5")]
        )
    )


def test_another_attempt_on_the_run_is_heard_as_fencing(
    database: Database, claim: Claim, commands: CommandListener
) -> None:
    with database.write() as session:
        attempts.requeue(session, claim.run_id, claim.token, "drain", time.time())
    assert heard(commands).kind is RequestKind.FENCED


def test_sigterm_is_a_drain(commands: CommandListener) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard(commands).kind is RequestKind.DRAIN


def test_a_database_that_is_away_is_asked_again(
    database: Database, claim: Claim, commands: CommandListener
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE commands RENAME TO commands_away"))
    time.sleep(0.2)
    assert commands.poll() is None
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE commands_away RENAME TO commands"))
    with database.write() as session:
        service.request_checkpoint(session, claim.run_id, time.time())
    assert heard(commands).kind is RequestKind.CHECKPOINT


LISTENING = """
import sys, time
from backend.database import Database
from worker.commands import CommandListener
with CommandListener(Database(sys.argv[1]), int(sys.argv[2]), sys.argv[3], interval=0.1) as commands:
    print("ready", flush=True)
    while not commands.stop_requested:
        time.sleep(0.02)
    print(commands.poll().reason, flush=True)
"""


def test_the_supervisors_death_is_a_drain(database: Database, claim: Claim) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING, database.url, str(claim.run_id), claim.token],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.stdout.readline() == "the supervisor died\n"
        assert process.wait(timeout=60) == 0
