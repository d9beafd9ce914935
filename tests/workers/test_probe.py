"""The one question asked of a server by hand."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import msgpack
import pytest

from worker.probe import free_port, server_version

ANSWER = msgpack.packb([1, 1, None, [[1, "0.9.16"]]])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


def answer_once(listener: socket.socket, *parts: bytes) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(4096)
            for part in parts:
                connection.sendall(part)

    threading.Thread(target=serve, daemon=True).start()


def test_the_version_comes_from_the_answer(listener: socket.socket) -> None:
    answer_once(listener, ANSWER[:5], ANSWER[5:])
    assert server_version("127.0.0.1", listener.getsockname()[1]) == "0.9.16"


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        msgpack.packb([1, 1, "no such method", None]),
        msgpack.packb([1, 1, None, [[1, 916]]]),
        b"\xc1\xc1\xc1",
        msgpack.packb("x" * 100_000),
    ],
)
def test_what_is_no_such_answer_is_no_server(listener: socket.socket, wrong: bytes) -> None:
    answer_once(listener, wrong)
    assert server_version("127.0.0.1", listener.getsockname()[1], timeout=0.5) is None


def test_a_server_that_accepts_but_hangs_does_not_answer(listener: socket.socket) -> None:
    assert server_version("127.0.0.1", listener.getsockname()[1], timeout=0.2) is None


def test_nobody_answers_on_a_free_port() -> None:
    assert server_version("127.0.0.1", free_port(), timeout=0.5) is None
