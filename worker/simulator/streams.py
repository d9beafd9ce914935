"""Streams to subscribers: numbered, one TCP connection each, never waiting for a slow one."""

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

from worker.simulator.protocol import MESSAGE_LENGTH, STREAM_ID

# A subscriber with more unread bytes than this, or that read nothing for so long while there was
# something to read, is cut off. Its client connects again and goes on with the newest message.
LARGEST_BACKLOG = 32 * 1024 * 1024
LONGEST_STALL = 5.0
SEND_BUFFER = 4 * 1024 * 1024

Part = bytes | bytearray | memoryview


class Subscriber:
    """One connection that names a stream in its first four bytes and then only reads."""

    def __init__(self, connection: socket.socket, hub: "Streams") -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.connection = connection
        self.stream = 0
        self._hub = hub
        self._greeting = b""
        self._backlog: deque[memoryview] = deque()
        self._bytes = 0
        self._moved_at = 0.0

    def on_readable(self) -> None:
        try:
            data = self.connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hub.drop(self)
        elif not self.stream:
            self._greeting += data
            if len(self._greeting) >= STREAM_ID.size:
                (self.stream,) = STREAM_ID.unpack(self._greeting[: STREAM_ID.size])
                self._hub.join(self)

    def on_writable(self) -> None:
        try:
            while self._backlog:
                sent = self.connection.send(self._backlog[0])
                self._moved_at = time.monotonic()
                self._bytes -= sent
                if sent < len(self._backlog[0]):
                    self._backlog[0] = self._backlog[0][sent:]
                    return
                self._backlog.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._hub.drop(self)
            return
        self._hub.watch(self, writable=False)

    def send(self, parts: Sequence[Part]) -> None:
        """Send now what the socket takes and keep a copy of the rest."""
        if self._backlog:
            self._keep(parts, 0)
            return
        total = sum(len(part) for part in parts)
        try:
            sent = self.connection.sendmsg(parts)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._hub.drop(self)
            return
        if sent < total:
            self._moved_at = time.monotonic()
            self._keep(parts, sent)
            self._hub.watch(self, writable=True)

    def _keep(self, parts: Sequence[Part], sent: int) -> None:
        rest = memoryview(b"".join(parts))[sent:]
        self._backlog.append(rest)
        self._bytes += len(rest)
        stalled = time.monotonic() - self._moved_at > LONGEST_STALL
        if self._bytes > LARGEST_BACKLOG or stalled:
            self._hub.drop(self)


class Streams:
    """All subscribers by stream. `on_join` is told of each new one."""

    def __init__(
        self, selector: selectors.BaseSelector, on_join: Callable[[Subscriber], None]
    ) -> None:
        self._selector = selector
        self._on_join = on_join
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._all: set[Subscriber] = set()

    def accept(self, connection: socket.socket) -> None:
        subscriber = Subscriber(connection, self)
        self._all.add(subscriber)
        self._selector.register(connection, selectors.EVENT_READ, subscriber)

    def join(self, subscriber: Subscriber) -> None:
        self._subscribers.setdefault(subscriber.stream, []).append(subscriber)
        self._on_join(subscriber)

    def watch(self, subscriber: Subscriber, *, writable: bool) -> None:
        if subscriber in self._all:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
            self._selector.modify(subscriber.connection, events, subscriber)

    def is_watched(self, stream: int) -> bool:
        return stream in self._subscribers

    def publish(self, stream: int, *parts: Part) -> None:
        """Send one message to everyone who subscribed to the stream; `parts` are not copied or kept."""
        message = [frame(parts), *parts]
        for subscriber in tuple(self._subscribers.get(stream, ())):
            subscriber.send(message)

    def drop(self, subscriber: Subscriber) -> None:
        if subscriber not in self._all:
            return
        self._all.remove(subscriber)
        self._selector.unregister(subscriber.connection)
        subscriber.connection.close()
        members = self._subscribers.get(subscriber.stream, [])
        if subscriber in members:
            members.remove(subscriber)
            if not members:
                del self._subscribers[subscriber.stream]

    def close(self) -> None:
        for subscriber in tuple(self._all):
            self.drop(subscriber)


def frame(parts: Sequence[Part]) -> bytes:
    """The length that goes before a message."""
    return MESSAGE_LENGTH.pack(sum(len(part) for part in parts))
