"""A webhook: the message as JSON, signed so that the receiver knows who sent it, and when."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from backend.notify.message import Message
from backend.notify.post import host_of, post


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC of timestamp, a dot and the body: an old message cannot be sent again as new."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


@dataclass(frozen=True)
class Webhook:
    """POSTs to `url`. Without a secret nothing is signed."""

    url: str
    secret: str = ""
    name: str = "webhook"

    @property
    def destination(self) -> str:
        return host_of(self.url) + (", signed" if self.secret else ", not signed")

    def send(self, message: Message, delivery: str, now: float) -> None:
        body = json.dumps(message.document(), separators=(",", ":")).encode()
        timestamp = str(int(now))
        headers = {"X-Pitwall-Delivery": delivery, "X-Pitwall-Timestamp": timestamp}
        if self.secret:
            headers["X-Pitwall-Signature"] = signature(self.secret, timestamp, body)
        post(self.url, body, headers)
