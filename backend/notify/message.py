"""What a notification says, the same on every channel; made of an event."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self


@dataclass(frozen=True)
class Message:
    """One piece of news. `url` leads to the run, when the dashboard's address is known."""

    kind: str
    level: str
    title: str
    text: str
    run_id: int | None = None
    run: str = ""
    step: int | None = None
    url: str = ""
    at: float = 0.0

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        return cls(**document)


class NotSent(Exception):
    """A channel could not deliver; the text says why and holds no secret. `final`: trying again is vain."""

    def __init__(self, problem: str, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """What it is called in rows and on the page."""

    @property
    def destination(self) -> str:
        """Where it leads, fit to be shown: no password, no secret path."""

    def send(self, message: Message, delivery: str, now: float) -> None:
        """Deliver within a bounded time. `delivery` is the same when a message is sent again.

        Raises:
            NotSent
        """
