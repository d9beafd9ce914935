"""The live stream, from the real server process: what comes, when, and after a loss."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session

from backend.database import Database
from backend.runs.attempts import requeue
from backend.runs.service import request_halt
from backend.runs.service import request_rollback as roll_back
from backend.web.scenes import FLEET_SCENES, Query, Scene
from backend.web.stream import Tail, Topic
from tests.web.scripted import ScriptedTrainer, claimed_run
from tests.web.server import ServerProcess, fragments, stream, until

# The stream reads through the services both databases share; starting a process for each is dear.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[ServerProcess]:
    url = database.engine.url.render_as_string(hide_password=False)
    with ServerProcess(tmp_path, url) as server:
        yield server


@pytest.fixture
def trainer(database: Database) -> ScriptedTrainer:
    """A trainer 1,500 steps into its run."""
    run_id, token = claimed_run(database, now=time.time())
    with database.write() as session:
        requeue(session, run_id, token, "drain", time.time())
    trainer = ScriptedTrainer(database, run_id)
    assert trainer.claim(time.time())
    trainer.advance(1500, time.time())
    return trainer


def test_a_stream_begins_with_every_live_part_and_goes_on_with_new_points(
    server: ServerProcess, trainer: ScriptedTrainer
) -> None:
    with (
        server.client() as client,
        stream(client, f"/api/v1/runs/{trainer.run_id}/stream") as events,
    ):
        first = next(events)
        assert first.name == "fragments"
        assert "1,500" in first.data["run-progress"]
        assert {"run-head", "verdict", "rules", "events", "tabs"} <= set(first.data)
        trainer.advance(100, time.time())
        tail = until(events, "tail").data
        assert tail["progress/speed"]["step"] == list(range(1501, 1601))
        assert set(tail["episode/return"]) == {"step", "episode", "time", "value"}
        assert "1,600" in fragments(events, "run-progress")["run-progress"]


def test_only_what_changed_is_sent_again_and_a_beat_when_nothing_did(
    server: ServerProcess, trainer: ScriptedTrainer, database: Database
) -> None:
    with (
        server.client() as client,
        stream(client, f"/api/v1/runs/{trainer.run_id}/stream") as events,
    ):
        until(events, "beat")
        with database.write() as session:
            request_halt(session, trainer.run_id, time.time())
        changed = fragments(events, "run-head")
        assert "halting" in changed["run-head"]
        assert "verdict" not in changed
        assert "rules" not in changed


@on_sqlite
def test_a_comparison_is_read_anew_only_when_a_run_went_on(
    server: ServerProcess, trainer: ScriptedTrainer
) -> None:
    address = f"/api/v1/stream?view=compare&runs={trainer.run_id}&by=run"
    with server.client() as client, stream(client, address) as events:
        first = next(events)
        assert "1,500" in first.data["comparison"]
        assert "comparison-statistics" in first.data
        assert next(events).name == "beat"
        trainer.advance(100, time.time())
        assert "1,600" in fragments(events, "comparison")["comparison"]


@on_sqlite
def test_one_who_leaves_while_another_arrives_does_not_end_the_others_stream(
    trainer: ScriptedTrainer, database: Database, tmp_path: Path
) -> None:
    topic = Topic("charts", trainer.run_id)

    async def greeted_and_gone(tail: Tail) -> None:
        stream = tail.listen(topic, None)
        await anext(stream)
        await stream.aclose()

    async def stays() -> None:
        async with Tail(database, tmp_path) as tail:
            for _ in range(20):
                stream = tail.listen(topic, None)
                await asyncio.gather(greeted_and_gone(tail), anext(stream))
                tail.wake()
                await asyncio.wait_for(anext(stream), 20)
                await stream.aclose()

    in_another_thread(stays())


def in_another_thread(streams: Coroutine[Any, Any, None]) -> None:
    """Not in this one: Playwright's event loop may run in it, left there by a browser's test."""
    with ThreadPoolExecutor(1) as another:
        another.submit(asyncio.run, streams).result()


async def heard(stream: AsyncGenerator[ServerSentEvent]) -> str | None:
    return (await asyncio.wait_for(anext(stream), 20)).event


@on_sqlite
def test_a_page_that_is_long_in_reading_stays_live_and_holds_up_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings, changes = count(1), count()
    begun, let_go = Event(), Event()

    def read(_session: Session, _query: Query, _now: float) -> dict[str, Any]:
        if next(readings) > 1:
            begun.set()
            let_go.wait(60)
        return {}

    dear = Scene("dear", "workers.html", read, glance=lambda _session, _query: next(changes))
    monkeypatch.setitem(FLEET_SCENES, "dear", dear)

    async def both_beat() -> None:
        async with Tail(database, tmp_path) as tail:
            long, short = (tail.listen(Topic(name), None) for name in ("dear", "workers"))
            assert [await heard(long), await heard(short)] == ["fragments", "fragments"]
            try:
                assert await asyncio.to_thread(begun.wait, 20)
                for _ in range(2):
                    tail.wake()
                    assert [await heard(long), await heard(short)] == ["beat", "beat"]
            finally:
                let_go.set()

    in_another_thread(both_beat())


@on_sqlite
def test_a_page_that_cannot_be_read_ends_its_own_stream_and_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_session: Session, _query: Query, _now: float) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setitem(FLEET_SCENES, "broken", Scene("broken", "workers.html", read))

    async def the_other_beats() -> None:
        async with Tail(database, tmp_path) as tail:
            whole = tail.listen(Topic("workers"), None)
            assert await heard(whole) == "fragments"
            with pytest.raises(StopAsyncIteration):
                await heard(tail.listen(Topic("broken"), None))
            tail.wake()
            assert await heard(whole) == "beat"

    in_another_thread(the_other_beats())


@on_sqlite
def test_one_who_returns_gets_what_was_missed(
    server: ServerProcess, trainer: ScriptedTrainer
) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/stream"
    with server.client() as client, stream(client, address) as kept:
        with stream(client, address) as events:
            last = next(events)
        trainer.advance(100, time.time())
        until(kept, "tail")
        with stream(client, address, **{"Last-Event-ID": last.id}) as events:
            assert next(events).name == "fragments"
            missed = next(events)
            assert missed.name == "tail"
            assert missed.data["progress/speed"]["step"][-1] == 1600
        with stream(client, f"{address}?last={last.id}") as events:
            assert [next(events).name, next(events).name] == ["fragments", "tail"]


@on_sqlite
def test_one_who_returns_too_late_is_told_to_load_anew(
    server: ServerProcess, trainer: ScriptedTrainer
) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/stream"
    for stale in ("deadbeef-4", "nonsense", "-"):
        headers = {"Last-Event-ID": stale}
        with server.client() as client, stream(client, address, **headers) as events:
            assert [next(events).name, next(events).name] == ["fragments", "reset"]


@on_sqlite
def test_a_rollback_tells_charts_to_load_anew(
    server: ServerProcess, trainer: ScriptedTrainer, database: Database
) -> None:
    now = time.time()
    checkpoint = trainer.save("interval", now)
    with (
        server.client() as client,
        stream(client, f"/api/v1/runs/{trainer.run_id}/stream") as events,
    ):
        until(events, "fragments")
        trainer.advance(100, now)
        until(events, "tail")
        with database.write() as session:
            roll_back(session, trainer.run_id, checkpoint, now)
        assert not trainer.obey(now)
        assert trainer.claim(now)
        assert until(events, "reset").data == {}


@on_sqlite
def test_every_page_has_its_stream_and_unknown_ones_are_refused(
    server: ServerProcess, trainer: ScriptedTrainer
) -> None:
    with server.client() as client:
        for view in ("charts", "gates", "checkpoints", "log", "config"):
            with stream(client, f"/api/v1/runs/{trainer.run_id}/stream?view={view}") as events:
                assert next(events).name == "fragments"
        for view in ("runs", "workers"):
            with stream(client, f"/api/v1/stream?view={view}") as events:
                assert next(events).name == "fragments"
        assert client.get(f"/api/v1/runs/{trainer.run_id}/stream?view=x").status_code == 422
        assert client.get("/api/v1/runs/99/stream").status_code == 404


@on_sqlite
def test_the_server_stays_small_and_ends_with_streams_open(
    database: Database, tmp_path: Path, trainer: ScriptedTrainer
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    with ServerProcess(tmp_path, url) as server, server.client() as client:
        address = f"/api/v1/runs/{trainer.run_id}/stream"
        with stream(client, address) as events:
            next(events)
            client.get("/", headers={"Accept": "text/html"})
            memory = psutil.Process(server.process.pid).memory_info().rss
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) in (0, -signal.SIGTERM)
    assert memory < 150e6
