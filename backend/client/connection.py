"""Requests to a Pitwall server, and what its answers mean for whether to ask again."""

from typing import Any

import httpx

from backend.client.errors import ServerAway, ServerRefused

TIMEOUT = 10.0
# A wrong token is cured by people, on either side: what waits must not be thrown away meanwhile.
WORTH_REPEATING = frozenset({401, 403, 408, 429})


class Connection:
    """One kept-alive connection to the server at `url`; every wait is bounded."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a POST under `/api/v1`.

        Raises:
            ServerAway: nobody answers, or not now.
            ServerRefused: the request itself is at fault.
        """
        try:
            response = self._http.post(f"/api/v1{path}", json=body)
        except httpx.TransportError as error:
            raise ServerAway(f"{self._http.base_url} does not answer: {error}") from error
        if response.is_success:
            answer: dict[str, Any] = response.json()
            return answer
        words = f"{response.status_code} {_detail(response)}"
        if response.status_code >= 500 or response.status_code in WORTH_REPEATING:
            raise ServerAway(words)
        raise ServerRefused(words)

    def close(self) -> None:
        self._http.close()


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
