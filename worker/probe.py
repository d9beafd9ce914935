"""A cheap question to a CARLA server: does it answer, which version is it, which map has it loaded."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import msgpack

REQUEST, RESPONSE = 0, 1
# An answer holds a value, not an error.
GIVEN = 1
# First argument of every call of CARLA: the client waits for the answer.
WAITING = [False]
# A map's answer lists its spawn points: thousands in the largest towns.
LONGEST_ANSWER = 4_000_000
PATIENCE = 2.0
CLIENT, RELEASE = "0.9.16", re.compile(r"\d+\.\d+\.\d+")


class NoAnswer(Exception):
    """No CARLA server answers there; `str(error)` says what was met instead and what to do."""


@dataclass(frozen=True)
class Answer:
    """What a server says of itself; `map` is empty where it did not tell in time."""

    version: str
    map: str = ""


def server_version(host: str, port: int, timeout: float = PATIENCE) -> str | None:
    """The version a server reports, None when it does not answer in `timeout` seconds per wait."""
    try:
        return ask(host, port, timeout).version
    except NoAnswer:
        return None


def ask(host: str, port: int, timeout: float = PATIENCE, *, for_map: bool = False) -> Answer:
    """What the server is, and with `for_map` its map's short name; `timeout` seconds per wait.

    Speaks the two calls of CARLA's RPC protocol (MessagePack-RPC) by hand: a hung server still accepts
    connections, and the `carla` package would hold the worker's GIL while it waits.

    Raises:
        NoAnswer: nothing listens there, it does not answer, or it is no CARLA server.
    """
    place = f"{host}:{port}"
    with closing(_connect(host, port, timeout)) as connection:
        answers = _answers(connection, "version", *(["get_map_info"] if for_map else []))
        try:
            version = _text(next(answers, None))
        except TimeoutError:
            raise NoAnswer(
                f"{place} takes connections but answers nothing within {timeout:g} s: restart it if it "
                "hangs, or name CARLA's RPC port (2000 unless changed)"
            ) from None
        except (OSError, ValueError, msgpack.UnpackException):
            version = None
        if version is None:
            raise NoAnswer(
                f"what listens on {place} does not speak CARLA's protocol: name CARLA's RPC port "
                "(2000 unless changed)"
            )
        return Answer(version, _map(answers) if for_map else "")


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout)
    except (socket.gaierror, UnicodeError):
        raise NoAnswer(f"the host '{host}' is not known here: correct its name") from None
    except ConnectionRefusedError:
        raise NoAnswer(
            f"nothing listens on {host}:{port}: start CARLA there, or correct the address"
        ) from None
    except OSError as error:
        why = error.strerror or f"no connection within {timeout:g} s"
        raise NoAnswer(
            f"{host}:{port} cannot be reached ({why}): see whether it is on and lets you through"
        ) from None


def _answers(connection: socket.socket, *methods: str) -> Iterator[object]:
    """The responses to calls without arguments, in order."""
    for number, method in enumerate(methods, 1):
        connection.sendall(msgpack.packb([REQUEST, number, method, [WAITING]]))
    unpacker = msgpack.Unpacker(max_buffer_size=LONGEST_ANSWER)
    while data := connection.recv(65536):
        unpacker.feed(data)
        yield from unpacker


def _text(message: object) -> str | None:
    """The version in a response: `[1, id, None, [[1, "0.9.16"]]]`."""
    match message:
        case [kind, _, None, [[given, str(version)]]] if (kind, given) == (RESPONSE, GIVEN):
            return version[:32]
    return None


def _map(answers: Iterator[object]) -> str:
    """The short name in a response: `[1, id, None, [[1, ["Carla/Maps/Town01", points]]]]`."""
    try:
        match next(answers, None):
            case [kind, _, None, [[given, [str(name), *_]]]] if (kind, given) == (RESPONSE, GIVEN):
                return name.rsplit("/", 1)[-1][:64]
    except (OSError, ValueError, msgpack.UnpackException):
        pass
    return ""


def misfit(version: str) -> str:
    """Why the client cannot talk to a server of that version; empty when it can, or may be able to.

    The numbers of stream messages differ between releases: the client would end its process.
    """
    if RELEASE.fullmatch(version) and version != CLIENT:
        return f"it is CARLA {version}, the client here is {CLIENT}: start a server of that release"
    return ""


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
