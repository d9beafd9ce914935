"""A real Chromium against the real server process, whose runs a scripted worker trains."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend.database import Database
from backend.models import Base
from tests.web.scripted import ScriptedWorker
from tests.web.server import TOKEN, ServerProcess

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pitwall")


@pytest.fixture(scope="module")
def stored(data: Path) -> Iterator[Database]:
    """The database behind the server; one for all tests of a module."""
    database = Database(f"sqlite:///{data / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="module")
def server(data: Path, stored: Database) -> Iterator[ServerProcess]:
    with ServerProcess(data, stored.url) as server:
        yield server


@pytest.fixture
def worker(stored: Database) -> Iterator[ScriptedWorker]:
    """Trains whatever is queued, as long as the test lasts."""
    with ScriptedWorker(stored, decisions=60) as worker:
        yield worker


@pytest.fixture
def page(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    """A signed-in page; anything it asks of another host, and any fault in a script, fails the test."""
    context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    # A page is there when Plotly is: 4.5 MB to read for a browser that shares its cores.
    context.set_default_navigation_timeout(180_000)
    page = context.new_page()
    outside: list[str] = []
    faults: list[str] = []
    page.on(
        "request",
        lambda r: (
            None if r.url.startswith((server.url, "data:", "blob:")) else outside.append(r.url)
        ),
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None
    )
    page.goto(f"/login?token={TOKEN}")
    yield page
    context.close()
    assert outside == []
    assert faults == []
