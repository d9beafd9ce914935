"""`pitwall doctor` of what is no CARLA server: told apart in words, code 1."""

import json
import socket
import sys

import pytest

from tests.workers.conftest import answer_once
from worker import conformance
from worker.probe import free_port

Printed = pytest.CaptureFixture[str]


def doctor(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """The exit code, or the sentence instead of one, which makes it 1."""
    monkeypatch.setattr(sys, "argv", ["doctor", *arguments])
    with pytest.raises(SystemExit) as leaving:
        conformance.main()
    return leaving.value.code


@pytest.mark.parametrize("address", ["foo:bar", "", ":2000", "::1", "a:1,b:2", "a:99999"])
def test_a_malformed_address_is_refused_with_the_value(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    said = doctor(monkeypatch, "--", address)
    assert isinstance(said, str)
    assert said.startswith("pitwall doctor: carla: ")
    assert repr(address) in said
    assert "host:port" in said or "name one" in said


def test_a_port_where_nothing_listens_fails_to_connect(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    assert doctor(monkeypatch, "--json", f"127.0.0.1:{free_port()}") == 1
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["name"], only["passed"]) == ("connect", False)
    assert "start CARLA there, or correct the address" in only["detail"]


def test_a_port_that_speaks_something_else_fails_to_connect(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, listener: socket.socket
) -> None:
    answer_once(listener, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert doctor(monkeypatch, f"127.0.0.1:{listener.getsockname()[1]}") == 1
    assert "FAIL  connect" in (shown := capsys.readouterr().out)
    assert "does not speak CARLA's protocol" in shown


def test_a_port_that_is_silent_fails_to_connect(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, listener: socket.socket
) -> None:
    monkeypatch.setattr(conformance, "ANSWER_LIMIT", 0.2)
    assert doctor(monkeypatch, f"127.0.0.1:{listener.getsockname()[1]}") == 1
    assert "answers nothing within 0.2 s" in capsys.readouterr().out
