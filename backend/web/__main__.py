"""`python -m backend.web`: serves the dashboard, and on a signal ends open streams before it closes."""

import socket
import sys
from types import FrameType

import uvicorn

from backend.settings import Settings
from backend.web.app import create_app
from backend.web.stream import Tail


class Server(uvicorn.Server):
    """Uvicorn waits for open responses; a stream never ends by itself, so it is told to."""

    def __init__(self, config: uvicorn.Config, tail: Tail) -> None:
        super().__init__(config)
        self._tail = tail

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where it listens: with port 0 nobody could know."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            sys.stdout.write(f"Pitwall listens on http://{host}:{port}\n")
            sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._tail.end_streams()
        super().handle_exit(sig, frame)


def main() -> None:
    settings = Settings()
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        # Addresses carry sign-in links.
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    Server(config, app.state.tail).run()


if __name__ == "__main__":
    main()
