"""A cheap question to a CARLA server: does it answer, and which version is it."""

import socket
from contextlib import closing

import msgpack

REQUEST = 0
# First argument of every call of CARLA: the client waits for the answer.
WAITING = [False]
LONGEST_ANSWER = 65536


def server_version(host: str, port: int, timeout: float = 2.0) -> str | None:
    """The version a server reports, None when it does not answer in `timeout` seconds per wait.

    Speaks the one call of CARLA's RPC protocol (MessagePack-RPC) by hand: a hung server still accepts
    connections, and the `carla` package would hold the worker's GIL while it waits.
    """
    try:
        with closing(socket.create_connection((host, port), timeout)) as connection:
            connection.settimeout(timeout)
            connection.sendall(msgpack.packb([REQUEST, 1, "version", [WAITING]]))
            return _version(connection)
    except (OSError, ValueError, msgpack.UnpackException):
        return None


def _version(connection: socket.socket) -> str | None:
    unpacker = msgpack.Unpacker(max_buffer_size=LONGEST_ANSWER)
    while data := connection.recv(4096):
        unpacker.feed(data)
        for message in unpacker:
            return _text(message)
    return None


def _text(message: object) -> str | None:
    """The version in a response: `[1, id, None, [[1, "0.9.16"]]]`."""
    match message:
        case [1, _, None, [[_, str(version)]]]:
            return version
    return None


def free_port() -> int:
    """A TCP port nobody listens on at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def free_port_range(count: int) -> int:
    """The first of `count` TCP ports in a row that nobody listens on at the moment."""
    while True:
        first = free_port()
        if first + count <= 65536 and all(_is_free(first + i) for i in range(1, count)):
            return first


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
