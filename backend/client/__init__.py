"""The client: log a trainer of your own to Pitwall over HTTP, with its charts, rules and Halt button."""

from backend.client.pitwall import Pitwall
from backend.client.run import ClientRun

__all__ = ["ClientRun", "Pitwall"]
