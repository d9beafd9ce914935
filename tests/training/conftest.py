"""An attempt at a small run on Pendulum, put together as the trainer process puts it together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.metrics.store import read_points
from backend.runs import attempts
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, get_run
from backend.settings import Settings
from backend.workers.service import register_simulator
from tests.environment.conftest import start_simulator, stop
from worker.attempt import opened, read_assignment
from worker.commands import Request, RequestKind
from worker.environment import SimulatorAddress
from worker.train import settle
from worker.training import End, Training

SMALL: dict[str, Any] = {
    "environment": "gymnasium:Pendulum-v1",
    "total_steps": 600,
    "hidden_sizes": [16],
    "batch_size": 16,
    "learning_starts": 100,
    "buffer_size": 500,
    "checkpoint_interval": 250,
    "evaluation_interval": 0,
    "random_reference_episodes": 0,
    "rollback_on": [],
}
EVALUATED: dict[str, Any] = {
    "evaluation_interval": 200,
    "evaluation_episodes": 2,
    "random_reference_episodes": 2,
}
HALT = Request(RequestKind.HALT, "asked by a test")
SAVE = Request(RequestKind.CHECKPOINT, "asked by a test", command_id=1)


@dataclass
class Script:
    """Commands a test asks for, each at its step."""

    training: Training | None = None
    requests: dict[int, Request] = field(default_factory=dict)
    answers: list[tuple[Request, bool]] = field(default_factory=list)
    stop: Request | None = None

    @property
    def stop_requested(self) -> bool:
        return self.stop is not None

    def poll(self) -> Request | None:
        """A stop is returned again each time, as the listener does."""
        assert self.training is not None
        if self.stop is None:
            request = self.requests.pop(self.training.progress.step, None)
            if request is None or request.kind is RequestKind.CHECKPOINT:
                return request
            self.stop = request
        return self.stop

    def answer(self, request: Request, ok: bool, result: str) -> None:
        self.answers.append((request, ok))


@dataclass
class Lab:
    """One run in a database and a data folder, attempted as often as a test likes."""

    database: Database
    settings: Settings
    run_id: int

    @contextmanager
    def attempt(self, stop: Request | None = None, **requests: Request) -> Iterator[Training]:
        """The next attempt, ready to run; `at_STEP=request` scripts what it is asked, `stop` before all."""
        with self.database.write() as session:
            claim = attempts.claim(session, self.run_id, "lab", time.time())
        assert claim is not None
        script = Script(
            stop=stop, requests={int(k.removeprefix("at_")): r for k, r in requests.items()}
        )
        assignment = read_assignment(self.database, self.run_id, claim.token)
        with opened(self.settings, self.database, assignment, script) as training:
            script.training = training
            with self.database.write() as session:
                attempts.mark_running(session, self.run_id, claim.token, time.time())
            yield training

    def run(self, **requests: Request) -> End:
        """Attempt, train to the end of it, settle."""
        with self.attempt(**requests) as training:
            end = training.run()
        with self.database.read() as session:
            token = attempts.get_run(session, self.run_id).token
        settle(self.database, self.run_id, token, end)
        return end

    def register(self, simulator: SimulatorAddress) -> None:
        """Offers it to the attempts of a run that drives in CARLA."""
        with self.database.write() as session:
            address = (simulator.host, simulator.port)
            register_simulator(session, *address, time.time(), "lab", "0.9.16", embedded=True)

    @property
    def state(self) -> str:
        with self.database.read() as session:
            return get_run(session, self.run_id).state

    def values(self, metric: str) -> list[tuple[int, float]]:
        """(step, value) of every point on the current lineage."""
        with self.database.read() as session:
            points = read_points(session, self.run_id, metric)
        return list(zip(points.step.tolist(), points.value.tolist(), strict=True))

    def checkpoint_kinds(self) -> list[str]:
        """In the order they were written."""
        with self.database.read() as session:
            return [c.kind for c in reversed(list_checkpoints(session, self.run_id))]


MakeLab = Callable[..., Lab]


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """As the trainer process has by default; two contend with the other test process."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorAddress]:
    process, address = start_simulator()
    yield address
    stop(process)


@pytest.fixture
def make_lab(database: Database, tmp_path: Path) -> MakeLab:
    """`make_lab(key=value...)` creates a run of the small config with some keys changed."""

    def make(**overrides: Any) -> Lab:
        config = parse_config("quickstart", {**SMALL, **overrides})
        with database.write() as session:
            run = create_run(session, "", "quickstart", config, time.time())
        return Lab(database, Settings(data=tmp_path), run.id)

    return make
