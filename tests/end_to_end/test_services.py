"""The services of docker-compose.yml, started as processes on a real PostgreSQL and Valkey, do the main job."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.database import Database
from backend.settings import Settings
from tests.workers.conftest import Broker, broker, until
from worker.probe import free_port

__all__ = ["broker"]
pytestmark = pytest.mark.end_to_end

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
TOKEN = "a token long enough for a test"
SMALL = {
    "total_steps": 1_000_000,
    "hidden_sizes": [16],
    "batch_size": 16,
    "learning_starts": 100,
    "evaluation_interval": 0,
    "random_reference_episodes": 0,
}


@dataclass
class Services:
    """Ports and environment in place of Docker's network; commands are the file's own."""

    folder: Path
    environment: dict[str, str]
    api_port: int
    simulator_port: int
    running: list[subprocess.Popen[bytes]]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        program, *arguments = COMPOSE["services"][name]["command"]
        assert program == "pitwall"
        arguments = [str(self.simulator_port) if a == "2000" else a for a in arguments]
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", *arguments],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        return process

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def answers(self) -> bool:
        try:
            return bool(self.call("/healthz"))
        except OSError:
            return False


@pytest.fixture
def services(postgresql_url: str, broker: Broker, tmp_path: Path) -> Iterator[Services]:
    """Nothing started yet; the database exists and is empty."""
    server = Database(postgresql_url)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE services")
    api_port, simulator_port = free_port(), free_port()
    environment = {
        "PITWALL_DATABASE_URL": server.engine.url.set(database="services").render_as_string(False),
        "PITWALL_BROKER_URL": broker.url,
        "PITWALL_TOKEN": TOKEN,
        "PITWALL_DATA": str(tmp_path / "data"),
        "PITWALL_PORT": str(api_port),
        "PITWALL_CARLA": f"127.0.0.1:{simulator_port}",
    }
    found = Services(tmp_path, environment, api_port, simulator_port, [])
    yield found
    for process in reversed(found.running):
        process.terminate()
    for process in reversed(found.running):
        process.wait(timeout=120)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE services WITH (FORCE)")
    server.close()


def test_the_composed_services_start_halt_and_resume_a_run(services: Services) -> None:
    assert services.start("migrate").wait(timeout=120) == 0
    services.start("simulator")
    services.start("api")
    services.start("worker")
    until(services.answers, 60)
    run_id = services.call("/api/v1/runs", {"preset": "quickstart", "config": SMALL})["id"]

    def run() -> dict[str, Any]:
        found: dict[str, Any] = services.call(f"/api/v1/runs/{run_id}")
        return found

    until(lambda: run()["step"] > 300, 90)
    services.call(f"/api/v1/runs/{run_id}/halt", {})
    until(lambda: run()["state"] == "halted", 30)
    halted = run()["step"]
    services.call(f"/api/v1/runs/{run_id}/resume", {})
    until(lambda: run()["step"] > halted + 100, 90)
    assert run()["segment"] == 2


def test_every_pitwall_service_migrates_first_and_every_variable_is_a_setting() -> None:
    known = {f"PITWALL_{name.upper()}" for name in Settings.model_fields}
    ours = {n: s for n, s in COMPOSE["services"].items() if s.get("image") == "pitwall"}
    assert set(ours) == {"migrate", "api", "worker", "simulator"}
    for name, service in ours.items():
        assert set(service["environment"]) <= known, name
    for name in ("api", "worker"):
        after = ours[name]["depends_on"]["migrate"]
        assert after["condition"] == "service_completed_successfully"
