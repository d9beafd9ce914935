"""The door to a Pitwall server for users' own trainers."""

import json
import os
import socket
import time
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from backend.client.connection import Connection
from backend.client.errors import ServerAway
from backend.client.run import ClientRun

URL = "http://127.0.0.1:8000"
PAUSE = 0.5


class Pitwall:
    """A server, by the address and the token that `pitwall up` prints.

    What is left out comes from `PITWALL_URL` and `PITWALL_TOKEN`.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or os.environ.get("PITWALL_URL") or URL).rstrip("/")
        self._token = token or os.environ.get("PITWALL_TOKEN") or ""

    def run(
        self, name: str = "", config: Mapping[str, Any] | None = None, patience: float = 10.0
    ) -> ClientRun:
        """A new run, training from now on. Any config of JSON values will do.

        `learning_starts` and `total_steps` are understood by rules and charts; `rules` and `halt_on`
        choose the preset and the rules that may halt the run.

        Raises:
            ServerAway: no server within `patience` seconds, or a wrong token.
            ServerRefused: the server names what is wrong with the config.
        """
        connection = Connection(self.url, self._token)
        token = token_hex(16)
        body = {
            "token": token,
            "name": name,
            "host": socket.gethostname()[:100],
            # What JSON does not know, such as a class, is shown as its text.
            "config": json.loads(json.dumps(dict(config or {}), default=str)),
        }
        give_up = time.monotonic() + patience
        while True:
            try:
                run_id = int(connection.post("/external-runs", body)["id"])
                return ClientRun(connection, self.url, run_id, token)
            except ServerAway:
                if time.monotonic() >= give_up:
                    connection.close()
                    raise
            time.sleep(PAUSE)
