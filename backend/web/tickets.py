"""The access token, and the signed tickets made from it: session cookies and one-time sign-in links."""

import hashlib
import hmac
import os
import secrets
from enum import StrEnum

from backend.settings import Settings

TOKEN_FILE = "token"


class TicketKind(StrEnum):
    """What a ticket is good for; one kind is never accepted in place of another."""

    LINK = "link"
    SESSION = "session"


LIFETIME = {TicketKind.LINK: 3600.0, TicketKind.SESSION: 30 * 86400.0}


def access_token(settings: Settings) -> str:
    """The token that opens the API: from the settings, or made once and kept in the data folder."""
    if token := settings.token.get_secret_value():
        return token
    path = settings.data / TOKEN_FILE
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        # O_EXCL: of two processes that start together, one makes the token and both use it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(token := secrets.token_urlsafe(32))
    return token


class Tickets:
    """Issues and checks tickets signed with the access token: a new token ends every session.

    A ticket is `kind.expiry.nonce.signature`. Links are spent in memory: a link older than its hour
    is refused anyway, so a restart can revive one only for the rest of that hour.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._spent: dict[str, float] = {}

    @property
    def cookie(self) -> str:
        """Name of the session cookie; cookies know no port, so two Pitwalls on a host need two names."""
        return f"pitwall_{hashlib.sha256(self._token.encode()).hexdigest()[:8]}"

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def issue(self, kind: TicketKind, now: float) -> str:
        body = f"{kind}.{int(now + LIFETIME[kind])}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def is_valid(self, kind: TicketKind, ticket: str, now: float) -> bool:
        body, _, signature = ticket.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return False
        named, expiry, _ = body.split(".")
        return named == kind and now < int(expiry)

    def spend(self, link: str, now: float) -> bool:
        """Whether the link was valid and unused; it is used from now on."""
        self._spent = {spent: end for spent, end in self._spent.items() if end > now}
        if link in self._spent or not self.is_valid(TicketKind.LINK, link, now):
            return False
        self._spent[link] = now + LIFETIME[TicketKind.LINK]
        return True

    def _sign(self, body: str) -> str:
        return hmac.new(self._token.encode(), body.encode(), hashlib.sha256).hexdigest()


def sign_in_path(token: str, now: float) -> str:
    """Path and query of a sign-in link that works once, for an hour."""
    return f"/login?token={Tickets(token).issue(TicketKind.LINK, now)}"
