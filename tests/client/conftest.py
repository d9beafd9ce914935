"""The real server process over a database of the module's own, and a signed-in client to look with."""

from collections.abc import Iterator

import httpx
import pytest

from backend.client import Pitwall
from backend.database import Database
from backend.models import Base
from tests.web.server import TOKEN, ServerProcess


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The database behind `server`. The API's own tests run on both kinds; here one is enough."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('client') / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="module")
def server(stored: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("data"), stored.url) as server:
        yield server


@pytest.fixture
def pitwall(server: ServerProcess) -> Pitwall:
    return Pitwall(server.url, TOKEN)


@pytest.fixture
def api(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
