"""Slack's incoming webhook, which Mattermost, Rocket.Chat, Zulip and Discord (`/slack`) take as well."""

import json
from dataclasses import dataclass

from backend.notify.message import Message
from backend.notify.post import host_of, post

MARKS = {"critical": ":octagonal_sign:", "warning": ":warning:", "info": ":information_source:"}


@dataclass(frozen=True)
class Slack:
    """POSTs to the secret `url` that the chat gave out."""

    url: str
    name: str = "slack"

    @property
    def destination(self) -> str:
        return host_of(self.url)

    def send(self, message: Message, delivery: str, now: float) -> None:
        title = _escaped(message.title)
        linked = f"<{message.url}|{title}>" if message.url else f"*{title}*"
        text = f"{MARKS.get(message.level, '')} {linked}\n{_escaped(message.text)}"
        post(self.url, json.dumps({"text": text}).encode(), {})


def _escaped(text: str) -> str:
    """The three characters that Slack's markup gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
