"""`pitwall up`: its children come, come back and go with it, whatever happens."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import Start, command_of, is_alive
from tests.workers.conftest import until

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]
PARTS = ("valkey-server", "backend.web", "worker.app")


def refused(*options: str) -> str:
    """What a `pitwall up` that does not start says."""
    command = [sys.executable, "-m", "backend.cli", "up", "--no-browser", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    return result.stderr


def test_the_first_line_opens_the_api_and_sigterm_ends_everything(start: Start) -> None:
    up = start()
    assert up.call("/api/v1/runs") is not None
    assert all(up.child(part) for part in PARTS)
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=120) == 0
    assert up.survivors() == []


def test_nothing_survives_a_sigkill_and_the_folder_can_be_used_again(start: Start) -> None:
    up = start()
    for part in PARTS:
        up.child(part)
    up.process.kill()
    again = start(up.data)
    assert again.token == up.token
    assert up.survivors() == []


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_dies_is_started_again(start: Start, part: str) -> None:
    up = start()
    victim = up.child(part)
    victim.kill()
    until(lambda: not is_alive(victim))
    assert up.child(part).pid != victim.pid
    until(up.answers)


def test_a_folder_in_use_is_refused_with_the_holder(start: Start) -> None:
    up = start()
    message = refused("--port", "0", "--data", str(up.data))
    assert f"in use by another Pitwall (process {up.process.pid})" in message


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = refused("--port", port, "--data", str(tmp_path))
    assert f"127.0.0.1:{port} cannot be used (Address already in use)" in message
    assert "--port" in message


def test_a_data_folder_with_a_path_too_long_for_a_socket_serves_as_well(
    start: Start, tmp_path: Path
) -> None:
    up = start(tmp_path / ("long" * 30))
    assert "/tmp/pitwall-" in command_of(up.child("valkey-server"))
    until(lambda: up.call("/api/v1/workers"))
