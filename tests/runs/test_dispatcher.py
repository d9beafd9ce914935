"""Hints: which runs, when, and what a broker that is away does to anybody."""

import itertools
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.database import Database
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.dispatcher import LONGEST_REPEAT, Dispatcher, Hints, claimable
from backend.settings import Settings
from tests.runs.conftest import NOW, new_run
from tests.workers.conftest import until


def test_only_runs_a_worker_may_claim_now_get_hints(database: Database, running: Claim) -> None:
    with database.write() as session:
        first, second, halted = (new_run(session).id for _ in range(3))
        service.request_halt(session, halted, NOW)
        assert claimable(session, NOW) == [first, second]
        run = attempts.crashed(session, running.run_id, running.token, "boom", NOW, 5)
        assert claimable(session, NOW) == [first, second]
        assert claimable(session, run.not_before) == [running.run_id, first, second]


def test_a_hint_goes_out_at_once_then_ever_more_seldom() -> None:
    hints = Hints()
    times = [now for now in range(200) if hints.due([7], now)]
    assert times[:5] == [0, 2, 6, 14, 30]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert max(gaps) == LONGEST_REPEAT


def test_a_run_that_comes_back_to_the_queue_is_hinted_at_once_again() -> None:
    hints = Hints()
    assert hints.due([7], 0) == [7]
    assert hints.due([], 1) == []
    assert hints.due([7], 1.5) == [7]


def test_those_that_wait_longer_are_hinted_before_a_new_run() -> None:
    hints = Hints()
    for now in range(100):
        hints.due([7, 8], now)
    assert hints.due([7, 8], 100) == []
    assert hints.due([7, 8, 9], 100) == [7, 8, 9]


@given(st.lists(st.tuples(st.floats(0, 100), st.lists(st.integers(1, 5), unique=True))))
def test_a_hint_is_only_ever_for_a_queued_run(visits: list[tuple[float, list[int]]]) -> None:
    hints, now = Hints(), 0.0
    for wait, queued in visits:
        now += wait
        assert set(hints.due(queued, now)) <= set(queued)


Published = list[int]


@pytest.fixture
def settings() -> Settings:
    return Settings()


def begin(database: Database, settings: Settings, publish: Callable[[int], None]) -> Dispatcher:
    return Dispatcher(database, settings, publish, interval=0.05)


def test_a_broker_that_is_away_is_asked_again(database: Database, settings: Settings) -> None:
    calls: Published = []

    def publish(run_id: int) -> None:
        calls.append(run_id)
        if len(calls) == 1:
            raise OSError("no broker")

    with database.write() as session:
        run_id = new_run(session, now=time.time()).id
    with begin(database, settings, publish):
        until(lambda: len(calls) >= 2, seconds=60)
    assert set(calls) == {run_id}


def test_a_wake_looks_at_once(database: Database, settings: Settings) -> None:
    published = threading.Event()
    dispatcher = Dispatcher(database, settings, lambda _: published.set(), interval=60)
    with dispatcher:
        time.sleep(0.2)
        with database.write() as session:
            new_run(session)
        dispatcher.wake()
        assert published.wait(50)


def test_closing_does_not_wait_for_the_interval(database: Database, settings: Settings) -> None:
    began = time.monotonic()
    with Dispatcher(database, settings, lambda _: None, interval=60):
        time.sleep(0.1)
    assert time.monotonic() - began < 60
