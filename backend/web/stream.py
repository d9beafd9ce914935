"""Server-sent events: one poller reads the database once a second and feeds every open page."""

import asyncio
import contextlib
import itertools
import json
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from backend.analysis.bands import Centre
from backend.database import Database
from backend.errors import PitwallError
from backend.metrics.columns import Columns
from backend.metrics.store import Cursor, cursor_at_end, read_since
from backend.runs.service import get_run
from backend.web.api.schemas import RowId
from backend.web.context import AppDatabase
from backend.web.scenes import FLEET_SCENES, RUN_SCENES, Scene

log = logging.getLogger(__name__)
INTERVAL = 1.0
# A stream that ended is opened again at once, with its last id: nothing is lost, and a forgotten tab
# or a client that went away without a word holds its connection only this long.
LIFETIME = 600.0
# Part of the time that may go into reading what is dear to read while it changes; in between a beat says
# that the database answers.
DEAR_SHARE = 0.1
# As long the others wait for a page's reading; a longer one goes on beside theirs.
PATIENCE = 0.2
BACKLOG = 120
QUEUE = 64


@dataclass(frozen=True)
class Topic:
    """What a page looks at; pages with equal topics share one reading and one rendering."""

    scene: str
    run_id: int | None = None
    query: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> dict[str, str]:
        """What its scene is read by."""
        return {**dict(self.query), **({"run": str(self.run_id)} if self.run_id else {})}


@dataclass(frozen=True)
class Item:
    """One event, already written out for all who get it."""

    number: int
    event: str
    data: str


@dataclass(eq=False)
class Channel:
    """A topic, who listens to it, what they saw last, and the recent items for those who return."""

    topic: Topic
    scene: Scene
    epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    listeners: set["asyncio.Queue[Item | None]"] = field(default_factory=set)
    # Those who listen and those who are about to, while the first reading is under way.
    visitors: int = 0
    shown: dict[str, str] = field(default_factory=dict)
    backlog: deque[Item] = field(default_factory=lambda: deque(maxlen=BACKLOG))
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    cursor: Cursor | None = None
    # Whether what is shown is what the last reading found: not before the first, nor after one that failed.
    looked: bool = False
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    glanced: "Glance | None" = None

    def id_of(self, item: Item) -> str:
        return f"{self.epoch}-{item.number}"

    def item(self, event: str, data: Any) -> Item:
        return Item(next(self.numbers), event, json.dumps(data, separators=(",", ":")))

    def publish(self, item: Item) -> None:
        """Hand the item to all; a listener that does not keep up is let go, and will return."""
        self.backlog.append(item)
        for queue in list(self.listeners):
            if queue.full():
                self.listeners.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(item)

    def missed(self, last_id: str) -> list[Item] | None:
        """Tails after the id a returning listener saw last; None when they are not at hand."""
        epoch, _, number = last_id.partition("-")
        if epoch != self.epoch or not number.isdigit() or not self.backlog:
            return None
        if int(number) < self.backlog[0].number - 1:
            return None
        return [i for i in self.backlog if i.number > int(number) and i.event == "tail"]


class Tail:
    """Polls for every open topic, one reading each, and ends the streams when the process ends."""

    def __init__(self, database: Database, snapshots: Path) -> None:
        self._database = database
        self._snapshots = snapshots
        self._channels: dict[Topic, Channel] = {}
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._looks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        tasks = [self._task, *self._looks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Something was just written: look now. Callable from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    def end_streams(self) -> None:
        """End every open stream; callable from a signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._ended = True
        for channel in self._channels.values():
            for queue in channel.listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(None)

    async def listen(self, topic: Topic, last_id: str | None) -> AsyncGenerator[ServerSentEvent]:
        """Everything now, then what changes; ends after `LIFETIME` or with the process."""
        channel = self._channels.setdefault(topic, Channel(topic, _scene(topic)))
        channel.visitors += 1
        queue: asyncio.Queue[Item | None] = asyncio.Queue(QUEUE)
        try:
            if not channel.looked:
                async with channel.reading:
                    if not channel.looked:
                        await self._look(channel)
            if not channel.looked:
                return  # the page asks again, and says meanwhile that it is not live
            channel.listeners.add(queue)
            for item in self._greeting(channel, last_id):
                yield _sent(channel, item)
            async with asyncio.timeout(LIFETIME):
                while not self._ended and (fresh := await queue.get()) is not None:
                    yield _sent(channel, fresh)
        except TimeoutError:
            return
        finally:
            channel.listeners.discard(queue)
            channel.visitors -= 1
            if not channel.visitors:
                self._channels.pop(topic, None)

    def _greeting(self, channel: Channel, last_id: str | None) -> list[Item]:
        """All fragments; for one who returns, the tails in between, or word to load anew."""
        number = channel.backlog[-1].number if channel.backlog else 0
        fragments = Item(number, "fragments", json.dumps(channel.shown))
        if last_id is None:
            return [fragments]
        missed = channel.missed(last_id)
        return [fragments, *([Item(number, "reset", "{}")] if missed is None else missed)]

    async def _poll(self) -> None:
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), INTERVAL)
            self._woken.clear()
            for channel in list(self._channels.values()):
                look = asyncio.create_task(self._visit(channel))
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)
                await asyncio.wait([look], timeout=PATIENCE)

    async def _visit(self, channel: Channel) -> None:
        """Look; or, while what is dear is still being read, find out only whether the database answers."""
        if not channel.reading.locked():
            async with channel.reading:
                await self._look(channel)
        elif channel.scene.glance and channel.looked:
            with contextlib.suppress(SQLAlchemyError, PitwallError):
                await run_in_threadpool(self._glance, channel.topic, channel.scene)
                channel.publish(channel.item("beat", {}))

    async def _look(self, channel: Channel) -> None:
        try:
            look = await run_in_threadpool(self._read, channel)
        except Exception as error:
            # No beat goes out: within three seconds the page says that it is not live.
            expected = isinstance(error, SQLAlchemyError | PitwallError)
            log.warning("nothing to stream: %s", error, exc_info=not expected)
            channel.looked = False
            return
        changed = {k: html for k, html in look.fragments.items() if channel.shown.get(k) != html}
        moved = channel.cursor is not None and look.moved_from(channel.cursor)
        channel.shown, channel.cursor, channel.looked = look.fragments, look.cursor, True
        channel.glanced = look.glanced
        if moved:
            channel.publish(channel.item("reset", {}))
        elif look.tails:
            channel.publish(channel.item("tail", look.tails))
        if changed:
            channel.publish(channel.item("fragments", changed))
        elif not look.tails:
            channel.publish(channel.item("beat", {}))

    def _glance(self, topic: Topic, scene: Scene) -> None:
        with self._database.read() as session:
            if scene.glance:
                scene.glance(session, topic.asked)

    def _read(self, channel: Channel) -> "Look":
        topic, query = channel.topic, channel.topic.asked
        with self._database.read() as session:
            began = time.monotonic()
            seen = channel.scene.glance(session, query) if channel.scene.glance else None
            if channel.glanced is not None and channel.glanced.suffices(seen, began):
                return Look(channel.shown, {}, None, channel.glanced)
            fragments = channel.scene.fragments(session, query, time.time(), self._snapshots)
            taken = time.monotonic() - began
            if topic.run_id is None or not channel.scene.charts:
                glanced = Glance(seen, began + taken / DEAR_SHARE) if channel.scene.glance else None
                return Look(fragments, {}, None, glanced)
            if channel.cursor is None:
                return Look(fragments, {}, cursor_at_end(session, topic.run_id))
            new, cursor = read_since(session, topic.run_id, channel.cursor)
        return Look(fragments, {metric: _told(columns) for metric, columns in new.items()}, cursor)


@dataclass(frozen=True)
class Glance:
    """What a scene that is dear to read was like when it was last read, and when it may be read again."""

    seen: Hashable
    due: float

    def suffices(self, seen: Hashable, now: float) -> bool:
        """Nothing has changed since, or it is too soon."""
        return seen == self.seen or now < self.due


@dataclass(frozen=True)
class Look:
    """What one reading found."""

    fragments: dict[str, str]
    tails: dict[str, Any]
    cursor: Cursor | None
    glanced: "Glance | None" = None

    def moved_from(self, before: Cursor) -> bool:
        """The run went on in another segment: part of what charts show is a branch now."""
        return self.cursor is not None and self.cursor.segment_id != before.segment_id


def _told(columns: Columns) -> dict[str, list[Any]]:
    """Columns as JSON; what is not finite is null."""
    clocks = {name: getattr(columns, name).tolist() for name in ("step", "episode", "time")}
    return {**clocks, "value": [v if math.isfinite(v) else None for v in columns.value.tolist()]}


def _scene(topic: Topic) -> Scene:
    return (RUN_SCENES if topic.run_id else FLEET_SCENES)[topic.scene]


def _sent(channel: Channel, item: Item) -> ServerSentEvent:
    return ServerSentEvent(event=item.event, raw_data=item.data, id=channel.id_of(item), retry=1000)


def _existing(run_id: RowId, database: AppDatabase) -> int:
    """Checked before the stream begins, so that an unknown run is a 404 and not an empty stream."""
    with database.read() as session:
        return get_run(session, run_id).id


def _tail(request: Request) -> Tail:
    tail: Tail = request.app.state.tail
    return tail


router = APIRouter(tags=["stream"])
OpenTail = Annotated[Tail, Depends(_tail)]


def _last_id(
    last_event_id: Annotated[str | None, Header()] = None,
    last: Annotated[str | None, Query(description="Last-Event-ID of a script's new stream")] = None,
) -> str | None:
    """A browser sends the header when it reconnects by itself; a script that begins anew cannot."""
    return last_event_id or last


LastId = Annotated[str | None, Depends(_last_id)]
RunScene = Annotated[str, Query(pattern=f"^({'|'.join(RUN_SCENES)})$")]
FleetScene = Annotated[str, Query(pattern=f"^({'|'.join(FLEET_SCENES)})$")]


@router.get("/runs/{run_id}/stream", response_class=EventSourceResponse)
async def stream_run(
    run_id: Annotated[int, Depends(_existing)],
    tail: OpenTail,
    last_id: LastId,
    view: RunScene = "charts",
) -> AsyncIterator[ServerSentEvent]:
    """`fragments` {element id: HTML}, `tail` {metric: columns of new points}, `beat`, `reset`."""
    async for event in tail.listen(Topic(view, run_id), last_id):
        yield event


@router.get("/stream", response_class=EventSourceResponse)
async def stream_fleet(
    tail: OpenTail,
    last_id: LastId,
    view: FleetScene = "runs",
    q: Annotated[str, Query(max_length=120)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=20)] = "",
    group: Annotated[str, Query(max_length=10)] = "",
    ladder: Annotated[str, Query(pattern="^[0-9]{0,10}$")] = "",
    runs: Annotated[str, Query(pattern="^[0-9,]{0,800}$")] = "",
    by: Annotated[str, Query(max_length=64)] = "",
    centre: Centre = Centre.IQM,
    waive: Annotated[str, Query(pattern="^[01]?$")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """The same for the table of runs, the fleet, a group of runs, ladders and a comparison (`runs=1,2`)."""
    table = {"q": q, "state": state, "sort": sort, "group": group, "ladder": ladder}
    compared = {"runs": runs, "by": by, "centre": centre.value, "waive": waive}
    topic = Topic(view, query=tuple({**table, **compared}.items()))
    async for event in tail.listen(topic, last_id):
        yield event
