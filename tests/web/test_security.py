"""Who gets in, who does not, and what a page may ask for."""

import re
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.settings import Settings
from backend.web.app import create_app
from backend.web.tickets import TicketKind, Tickets, access_token, sign_in_path
from tests.web.conftest import BASE, TOKEN

PAGES = ("/", "/runs/new", "/workers", "/settings", "/compare")


def test_the_api_without_a_token_is_401_and_says_what_to_send(stranger: TestClient) -> None:
    response = stranger.get("/api/v1/runs")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Bearer" in response.json()["detail"]


def test_a_wrong_token_is_401(stranger: TestClient) -> None:
    for header in ("Bearer wrong", "Bearer", "Basic " + TOKEN, TOKEN):
        response = stranger.get("/api/v1/runs", headers={"Authorization": header})
        assert response.status_code == 401, header


def test_a_stranger_in_a_browser_is_led_to_the_sign_in_and_back(stranger: TestClient) -> None:
    response = stranger.get("/runs/new?from=paper", headers={"Accept": "text/html"})
    assert response.status_code == 303
    assert response.headers["Location"] == "/login?next=/runs/new%3Ffrom%3Dpaper"


def test_nothing_but_sign_in_health_and_statics_is_open(app: FastAPI, stranger: TestClient) -> None:
    open_paths = {"/healthz", "/login"}
    for path, operations in app.openapi()["paths"].items():
        concrete = re.sub(r"\{\w+\}", "1", path)
        for method in operations:
            response = stranger.request(method, concrete)
            assert (response.status_code == 401) == (concrete not in open_paths), path


def test_the_printed_link_signs_in_once(stranger: TestClient) -> None:
    link = sign_in_path(TOKEN, time.time())
    first = stranger.get(link)
    assert first.status_code == 303
    assert first.headers["Location"] == "/"
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/workers", headers={"Accept": "text/html"}).status_code == 200
    stranger.cookies.clear()
    second = stranger.get(link, headers={"Accept": "text/html"})
    assert second.status_code == 401
    assert "has been used" in second.text


def test_an_old_link_and_an_old_session_are_refused(stranger: TestClient) -> None:
    tickets = Tickets(TOKEN)
    old_link = sign_in_path(TOKEN, time.time() - 3601)
    assert stranger.get(old_link).status_code == 401
    old = tickets.issue(TicketKind.SESSION, time.time() - 31 * 86400)
    stranger.cookies.set(tickets.cookie, old)
    assert stranger.get("/api/v1/runs").status_code == 401


def test_a_link_is_no_session_and_a_forged_ticket_is_nothing(stranger: TestClient) -> None:
    tickets = Tickets(TOKEN)
    link = tickets.issue(TicketKind.LINK, time.time())
    forged = Tickets("another").issue(TicketKind.SESSION, time.time())
    for ticket in (link, forged, "", "...", "session.9999999999.x.y", "é"):
        stranger.cookies.clear()
        stranger.cookies.set(tickets.cookie, ticket.encode("ascii", "replace").decode())
        assert stranger.get("/api/v1/runs").status_code == 401, ticket


def test_pasting_the_token_signs_in_and_a_wrong_one_says_so(stranger: TestClient) -> None:
    wrong = stranger.post("/login", data={"token": "nope"}, headers={"Accept": "text/html"})
    assert wrong.status_code == 401
    assert "not the access token" in wrong.text
    right = stranger.post("/login", data={"token": f" {TOKEN}\n", "next": "/workers"})
    assert right.headers["Location"] == "/workers"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", ""]
)
def test_sign_in_never_leads_elsewhere(stranger: TestClient, target: str) -> None:
    response = stranger.post("/login", data={"token": TOKEN, "next": target})
    assert response.headers["Location"] == "/"


def test_signing_out_ends_the_session(browser: TestClient) -> None:
    assert browser.post("/logout").headers["Location"] == "/login"
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Origin": BASE},
        {"Sec-Fetch-Site": "same-site", "Origin": BASE},
    ],
)
def test_a_post_from_another_site_is_403(browser: TestClient, headers: dict[str, str]) -> None:
    response = browser.post("/runs", data={"preset": "quickstart"}, headers=headers)
    assert response.status_code == 403
    assert browser.get("/api/v1/runs").json() == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "["]
)
def test_a_name_that_is_not_this_machine_is_403(api: TestClient, host: str) -> None:
    assert api.get("/api/v1/runs", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_every_name_of_this_machine_is_served(api: TestClient, host: str) -> None:
    assert api.get("/api/v1/runs", headers={"Host": host}).status_code == 200


def test_any_name_is_served_once_the_host_setting_opens_it(settings: Settings) -> None:
    opened = create_app(settings.model_copy(update={"host": "0.0.0.0"}))
    client = TestClient(opened, base_url="http://pitwall.lab")
    assert client.get("/healthz").status_code == 200
    assert client.get("/api/v1/runs").status_code == 401
    opened.state.database.close()


@pytest.mark.parametrize("path", [*PAGES, "/login", "/nowhere", "/api/v1/runs", "/api/v1/nowhere"])
def test_every_answer_carries_the_headers_that_keep_a_page_in(
    browser: TestClient, path: str
) -> None:
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, "/login", "/nowhere"])
def test_no_page_names_anything_outside_or_has_a_script_in_it(
    browser: TestClient, path: str
) -> None:
    html = browser.get(path).text
    assert not re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", html)
    assert not re.findall(r"<script(?![^>]*\bsrc=)", html)
    assert not re.findall(r"\son\w+=", html)


def test_the_token_is_made_once_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new")
    token = access_token(settings)
    assert len(token) > 30
    assert access_token(settings) == token
    assert (tmp_path / "new" / "token").stat().st_mode & 0o077 == 0
