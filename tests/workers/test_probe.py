"""The questions asked of a server by hand."""

import socket

import msgpack
import pytest

from tests.workers.conftest import answer_once, packed
from worker.probe import Answer, NoAnswer, ask, free_port, misfit, server_version

ANSWER = packed([[1, "0.9.16"]])


def test_the_version_comes_from_the_answer(listener: socket.socket) -> None:
    answer_once(listener, ANSWER[:5], ANSWER[5:])
    assert server_version("127.0.0.1", listener.getsockname()[1]) == "0.9.16"


@pytest.mark.parametrize(
    ("more", "known"),
    [
        (packed([[1, ["Carla/Maps/Town01", []]]]), "Town01"),
        (packed([[0, ["still loading"]]]), ""),
        (packed(None), ""),
        (b"\xc1", ""),
        (b"", ""),
    ],
)
def test_the_map_is_told_if_the_server_tells_it(
    listener: socket.socket, more: bytes, known: str
) -> None:
    answer_once(listener, ANSWER, more)
    found = ask("127.0.0.1", listener.getsockname()[1], for_map=True)
    assert found == Answer("0.9.16", known)


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
    with pytest.raises(NoAnswer, match=r"does not speak CARLA's protocol: name CARLA's RPC port"):
        ask("127.0.0.1", listener.getsockname()[1], timeout=0.5)


def test_a_server_that_accepts_but_hangs_does_not_answer(listener: socket.socket) -> None:
    with pytest.raises(NoAnswer, match=r"answers nothing within 0\.2 s: restart it if it hangs"):
        ask("127.0.0.1", listener.getsockname()[1], timeout=0.2)


def test_nobody_answers_on_a_free_port() -> None:
    with pytest.raises(NoAnswer, match=r"nothing listens on .*: start CARLA there, or correct"):
        ask("127.0.0.1", free_port(), timeout=0.5)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "a..b"])
def test_a_name_nobody_knows_is_told_as_such(host: str) -> None:
    with pytest.raises(NoAnswer, match="is not known here: correct its name"):
        ask(host, 2000, timeout=0.5)


def test_only_the_client_s_own_release_is_fit_where_a_release_is_told() -> None:
    assert misfit("0.9.16") == misfit("0.9.16-3-gabc") == misfit("1a2b3c4") == ""
    assert "start a server of that release" in misfit("0.9.15")
