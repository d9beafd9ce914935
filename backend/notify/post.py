"""A POST of JSON that never waits long, follows no redirect and tells no secret."""

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from backend.notify.message import NotSent

TIMEOUT = 10.0
# At INFO it writes every address to the log, and an address may be a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Deliver `body`; any 2xx is a yes.

    Raises:
        NotSent: final where the answer says that the message itself is refused.
    """
    try:
        # Streamed, and the body left unread: nobody can hold the sender up, or fill it, with an answer.
        with httpx.stream(
            "POST",
            url,
            content=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=TIMEOUT,
            follow_redirects=False,
        ) as answer:
            status = answer.status_code
    except httpx.InvalidURL:
        raise NotSent(f"{host_of(url)}: this is no address to post to", final=True) from None
    except (httpx.HTTPError, OSError) as error:
        reason = str(error).replace(url, host_of(url))
        raise NotSent(f"{host_of(url)} does not answer: {reason or type(error).__name__}") from None
    if 200 <= status < 300:
        return
    final = 400 <= status < 500 and status not in (408, 425, 429)
    raise NotSent(f"{host_of(url)} answered {status}", final)


def host_of(url: str) -> str:
    """Scheme and host of an address; what follows may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "no host", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{host}{port}" if parts.scheme else host
