"""The server: one thread, one loop over all connections; every request and every tick happens in order."""

import json
import logging
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from worker.simulator import actor_methods, batch, world_methods
from worker.simulator.actors import Actor
from worker.simulator.errors import SimulatorError
from worker.simulator.maps import BUILT_IN, Catalog
from worker.simulator.methods import Context, dispatch
from worker.simulator.protocol import Wire
from worker.simulator.publisher import Publisher
from worker.simulator.rpc import RpcConnection
from worker.simulator.sensors import Sensing
from worker.simulator.streams import Streams
from worker.simulator.world import World

log = logging.getLogger(__name__)
# Importing them fills the table of procedures.
PROCEDURES = (actor_methods, batch, world_methods)
WAITING_CONNECTIONS = 64
PORT_TRIES = 100
# Asynchronous mode: the world runs by the wall clock, one default step at a time.
FREE_RUNNING_STEP = 0.05

Ready = Callable[[str, int], None]


class PortsTaken(SimulatorError):
    """The port, or the one after it for the streams, is in use."""


class Server:
    """Listens on `port` for calls and on `port + 1` for streams; port 0 takes a free pair."""

    def __init__(self, host: str, port: int, world: World) -> None:
        self._selector = selectors.DefaultSelector()
        calls, streams = listen(host, port)
        self.host, self.port = calls.getsockname()[:2]
        self._listeners = (calls, streams)
        self._streams = Streams(self._selector, lambda joined: self._publisher.greet(joined))
        sensing = Sensing(world, self._wire)
        self._publisher = Publisher(world, self._streams, sensing)
        self._context = Context(world, self.port + 1, self._publisher.tick, sensing.prepare)
        self._connections: set[RpcConnection] = set()
        self._numbers = 0
        self._running = False
        self._next_tick = 0.0
        self._selector.register(calls, selectors.EVENT_READ, _Doorkeeper(calls, self._welcome))
        doorkeeper = _Doorkeeper(streams, self._streams.accept)
        self._selector.register(streams, selectors.EVENT_READ, doorkeeper)

    def _wire(self, actor: Actor) -> Wire:
        return self._context.wire(actor)

    def end_with(self, pipe: TextIO) -> None:
        """Stop when the pipe's other end is closed: the process that started this one has gone."""
        self._selector.register(pipe, selectors.EVENT_READ, _Lifeline(pipe, self.stop))

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        self._next_tick = time.monotonic()
        while self._running:
            for key, events in self._selector.select(self._patience()):
                if events & selectors.EVENT_READ:
                    key.data.on_readable()
                if events & selectors.EVENT_WRITE:
                    key.data.on_writable()
            self._run_free()
        self._close()

    def stop(self) -> None:
        self._running = False

    def _patience(self) -> float | None:
        """Seconds until the world must tick by itself; None while clients alone decide."""
        if not self._is_free_running:
            return None
        return max(0.0, self._next_tick - time.monotonic())

    @property
    def _is_free_running(self) -> bool:
        return bool(self._connections) and not self._context.world.settings.synchronous

    def _run_free(self) -> None:
        now = time.monotonic()
        if not self._is_free_running:
            self._next_tick = now + FREE_RUNNING_STEP
        elif now >= self._next_tick:
            # A world that cannot keep up slows down instead of hurrying after the clock.
            self._next_tick = max(self._next_tick, now - FREE_RUNNING_STEP) + FREE_RUNNING_STEP
            self._publisher.tick()

    def _welcome(self, connection: socket.socket) -> None:
        self._numbers += 1
        client = RpcConnection(connection, self._numbers, self._call, self)
        self._connections.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _call(
        self, client: RpcConnection, method: str, arguments: Sequence[Wire]
    ) -> tuple[Wire, str | None]:
        return dispatch(self._context, client.number, method, arguments)

    def watch(self, connection: RpcConnection, *, writable: bool) -> None:
        if connection in self._connections:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
            self._selector.modify(connection.connection, events, connection)

    def drop(self, connection: RpcConnection) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._selector.unregister(connection.connection)
        connection.connection.close()
        self._context.forget(connection.number)
        if not self._connections:
            self._context.tidy()

    def _close(self) -> None:
        for connection in tuple(self._connections):
            self.drop(connection)
        self._streams.close()
        for listener in self._listeners:
            listener.close()
        self._selector.close()


class _Doorkeeper:
    """Accepts connections."""

    def __init__(self, listener: socket.socket, welcome: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._welcome = welcome

    def on_readable(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            log.warning("a connection could not be accepted: %s", error)
            return
        self._welcome(connection)


class _Lifeline:
    """Notices the end of the parent process by the end of a pipe."""

    def __init__(self, pipe: TextIO, stop: Callable[[], None]) -> None:
        self._pipe = pipe
        self._stop = stop

    def on_readable(self) -> None:
        if not os.read(self._pipe.fileno(), 4096):
            self._stop()


def listen(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Two listening sockets on neighbouring ports.

    Raises:
        PortsTaken: one of the two is in use, or no free pair was found for port 0.
    """
    for _ in range(1 if port else PORT_TRIES):
        first = _bind(host, port)
        if first is None:
            continue
        second = _bind(host, first.getsockname()[1] + 1)
        if second is not None:
            return first, second
        first.close()
    wanted = f"{host}:{port} and {port + 1}" if port else f"a free pair of ports on {host}"
    raise PortsTaken(
        f"cannot listen on {wanted}: choose another --port (0: any free one) or --host"
    )


def _bind(host: str, port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError):
        listener.close()
        return None
    listener.listen(WAITING_CONNECTIONS)
    listener.setblocking(False)
    return listener


def make_world(map_name: str, seed: int) -> World:
    """A world on a built-in map or on an OpenDRIVE file.

    Raises:
        MapUnknown: there is no such map or file.
        MapUnreadable: the file is not an OpenDRIVE map.
    """
    catalog = Catalog()
    if map_name.endswith(".xodr"):
        return World(catalog, catalog.add_file(Path(map_name)), seed)
    return World(catalog, catalog.load(map_name), seed)


def serve(
    host: str = "127.0.0.1",
    port: int = 2000,
    map_name: str = next(iter(BUILT_IN)),
    seed: int = 0,
    *,
    owned: bool = False,
    on_ready: Ready | None = None,
) -> None:
    """Run a simulator until it is told to stop, or until stdin ends if it is `owned`.

    Raises:
        SimulatorError: the map or the ports are not to be had.
    """
    server = Server(host, port, make_world(map_name, seed))
    if owned:
        server.end_with(sys.stdin)
    (on_ready or announce)(server.host, server.port)
    server.run()


def announce(host: str, port: int) -> None:
    """The one line on stdout that says the server can be used."""
    sys.stdout.write(json.dumps({"host": host, "port": port}) + "\n")
    sys.stdout.flush()
