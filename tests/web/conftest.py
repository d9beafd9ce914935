"""The application over a test's database, and clients that are signed in or strangers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.database import Database
from backend.settings import Settings
from backend.web.app import create_app

TOKEN = "token-of-the-tests"
BASE = "http://127.0.0.1:8000"


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, database_url=database.url, token=TOKEN)


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    app = create_app(settings)
    yield app
    app.state.database.close()


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    """A client without token or session, on the loopback address."""
    return TestClient(app, base_url=BASE, follow_redirects=False)


@pytest.fixture
def api(app: FastAPI) -> TestClient:
    """A script with the token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return TestClient(app, base_url=BASE, headers=headers, follow_redirects=False)


@pytest.fixture
def browser(app: FastAPI) -> TestClient:
    """A browser that has signed in: a session cookie, and the headers its pages' requests carry."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Origin": BASE}
    client = TestClient(app, base_url=BASE, headers=headers, follow_redirects=False)
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
    return client
