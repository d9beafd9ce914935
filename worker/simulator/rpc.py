"""MessagePack-RPC as rpclib speaks it: pipelined requests, executed in the order they came."""

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

import msgpack

from worker.simulator.protocol import Wire

log = logging.getLogger(__name__)
REQUEST, RESPONSE = 0, 1
LARGEST_REQUEST = 64 * 1024 * 1024
# A client that calls but does not read its answers is dropped with more than this unread.
LARGEST_BACKLOG = 64 * 1024 * 1024

Dispatch = Callable[["RpcConnection", str, Sequence[Wire]], tuple[Wire, str | None]]


class Hub(Protocol):
    """What owns the connections."""

    def watch(self, connection: "RpcConnection", *, writable: bool) -> None: ...

    def drop(self, connection: "RpcConnection") -> None: ...


class RpcConnection:
    """One client. `number` names it as the owner of what it spawns; a broken one is dropped by its hub."""

    def __init__(
        self, connection: socket.socket, number: int, dispatch: Dispatch, hub: Hub
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.connection = connection
        self.number = number
        self._dispatch = dispatch
        self._hub = hub
        self._unpacker = msgpack.Unpacker(
            raw=False, max_buffer_size=LARGEST_REQUEST, unicode_errors="replace"
        )
        self._packer = msgpack.Packer(use_bin_type=True)
        self._unsent = bytearray()
        self._is_behind = False

    def on_readable(self) -> None:
        try:
            data = self.connection.recv(1 << 16)
            if not data:
                self._hub.drop(self)
                return
            self._unpacker.feed(data)
            for message in self._unpacker:
                self._unsent += self._answer(message)
                self._bound()
        except BlockingIOError:
            return
        except (OSError, ValueError, msgpack.UnpackException) as error:
            log.warning("client %d is dropped: %s", self.number, error)
            self._hub.drop(self)
            return
        self._send()

    def _answer(self, message: Wire) -> bytes:
        match message:
            case [kind, int(number), str(method), list(arguments)] if kind == REQUEST:
                result, error = self._dispatch(self, method, arguments)
                answer: bytes = self._packer.pack([RESPONSE, number, error, result])
                return answer
        raise ValueError(f"not a MessagePack-RPC request: {str(message)[:80]}")

    def _bound(self) -> None:
        """Send what is too much to keep.

        Raises:
            ValueError: it is still too much, since the client does not read.
        """
        if len(self._unsent) > LARGEST_BACKLOG:
            self._send()
            if len(self._unsent) > LARGEST_BACKLOG:
                raise ValueError("it does not read its answers")

    def _send(self) -> None:
        self._flush()
        if bool(self._unsent) != self._is_behind:
            self._is_behind = bool(self._unsent)
            self._hub.watch(self, writable=self._is_behind)

    def on_writable(self) -> None:
        self._send()

    def _flush(self) -> None:
        try:
            sent = self.connection.send(self._unsent) if self._unsent else 0
            del self._unsent[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()
            self._hub.drop(self)
