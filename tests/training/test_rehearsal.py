"""Before the long run every phase is tried once, and what it showed is told."""

import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from backend.checkpoints.service import list_checkpoints
from backend.runs.config import RunConfig
from backend.runs.events import list_events
from backend.runs.forks import fork_run
from backend.runs.parsing import changed_config, parse_config
from backend.runs.service import get_run, request_resume
from backend.runs.states import RunState
from tests.training.conftest import SMALL, Lab, MakeLab
from worker.commands import Request, RequestKind
from worker.environment import SimulatorLost
from worker.environment.gymnasium_env import GymnasiumEnv
from worker.rehearsal import DECISIONS, RehearsalFailed, rehearse


def config(**overrides: Any) -> RunConfig:
    return parse_config("quickstart", {**SMALL, **overrides})


class Broken(gymnasium.Env[Any, Any]):
    """Works until the given call of `step`, or of an evaluation's reset."""

    observation_space = spaces.Dict({"vector": spaces.Box(-1, 1, (3,), np.float32)})
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, step: int = -1, evaluates: bool = True, error: Exception | None = None):
        self._step, self._evaluates = step, evaluates
        self._error = error or ValueError("no such lane")
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        if options and not self._evaluates:
            raise self._error
        return {"vector": np.zeros(3, np.float32)}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        if self._steps == self._step:
            raise self._error
        return {"vector": np.ones(3, np.float32)}, 1.0, False, self._steps % 7 == 0, {}


def test_every_phase_is_tried_and_nothing_is_left_behind(tmp_path: Path) -> None:
    chosen = config(total_steps=100_000, evaluation_interval=1000)
    stages: list[str] = []

    def tell(words: str, done: int = 0, of: int = 0) -> None:
        stages.append(f"{words} {done}/{of}")

    told = rehearse(chosen, GymnasiumEnv("Pendulum-v1"), tmp_path, tell).describe(chosen)
    assert stages[0] == "pre-flight: exploration 1/5"
    assert stages[-1] == "pre-flight: checkpoint and restore 5/5"
    assert "5 updates, evaluation, checkpoint, restore" in told["preflight"]
    assert told["expected_time"].startswith("about ")
    assert "evaluations" in told["expected_time"]
    assert not list(tmp_path.iterdir())


def test_the_actors_turn_is_tried_however_rarely_it_comes(tmp_path: Path) -> None:
    chosen = config(policy_delay=1000, total_steps=5000)
    told = rehearse(chosen, GymnasiumEnv("Pendulum-v1"), tmp_path).describe(chosen)
    assert "phase change, 9 updates," in told["preflight"]


def test_the_time_of_a_run_under_way_is_what_is_left_of_it(tmp_path: Path) -> None:
    chosen = config(total_steps=1_000_000, learning_starts=500_000)
    rehearsal = rehearse(chosen, GymnasiumEnv("Pendulum-v1"), tmp_path)
    assert "exploration 0 s" in rehearsal.describe(chosen, 600_000)["expected_time"]
    assert "exploration 0 s" not in rehearsal.describe(chosen)["expected_time"]


@pytest.mark.parametrize(
    ("env", "phase"),
    [
        (Broken(step=3), "exploration failed: no such lane"),
        (Broken(step=DECISIONS + 3), "acting while learning failed"),
        (Broken(evaluates=False), "evaluation failed: no such lane"),
    ],
)
def test_what_would_fail_hours_later_fails_now_with_the_phase(
    env: Broken, phase: str, tmp_path: Path
) -> None:
    with pytest.raises(RehearsalFailed, match=f"pre-flight: {phase}"):
        rehearse(config(), env, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_environment_that_begins_with_a_nan_is_named_and_not_the_learner(tmp_path: Path) -> None:
    class Blind(Broken):
        def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
            return {"vector": np.full(3, np.nan, np.float32)}, {}

    with pytest.raises(
        RehearsalFailed, match=r"exploration failed: the environment gave .* start of"
    ):
        rehearse(config(), Blind(), tmp_path)


def test_a_lost_simulator_is_no_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(SimulatorLost):
        rehearse(config(), Broken(step=3, error=SimulatorLost("gone")), tmp_path)


def test_a_fork_is_tried_too_for_its_configuration_is_new(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.run(at_130=Request(RequestKind.HALT, "asked by a test"))
    with lab.database.write() as session:
        (checkpoint,) = list_checkpoints(session, lab.run_id)
        changed = changed_config(get_run(session, lab.run_id).config, {"actor_learning_rate": 1e-4})
        run_id = fork_run(session, lab.run_id, checkpoint.id, "", changed, time.time()).id
    fork = Lab(lab.database, lab.settings, run_id)
    fork.run(at_150=Request(RequestKind.DRAIN, "asked by a test"))
    fork.run()
    with lab.database.read() as session:
        events = [e.kind for e in list_events(session, run_id)]
    assert events.count("preflight") == 1
    assert fork.state == RunState.FINISHED


def test_its_result_stands_on_the_run_and_in_its_log_and_a_resumed_run_needs_none(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    lab.run(at_130=Request(RequestKind.HALT, "asked by a test"))
    with lab.database.write() as session:
        request_resume(session, lab.run_id, time.time())
    lab.run()
    with lab.database.read() as session:
        observed = get_run(session, lab.run_id).observed
        events = [e.kind for e in list_events(session, lab.run_id)]
    assert observed["preflight"].startswith("passed in")
    assert {"expected_speed", "expected_time", "expected_memory"} <= set(observed)
    assert events.count("preflight") == 1
