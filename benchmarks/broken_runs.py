"""One run that should learn, or that is broken on purpose, through the real training loop and the rules."""

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.gates.engine import GateEngine
from backend.gates.facts import facts_of_config
from backend.gates.replay import judge_series
from backend.metrics.columns import Columns, by_metric
from backend.rules.moment import UNREAD, Point
from backend.rules.presets import PRESETS
from backend.rules.verdict import Judge
from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from benchmarks.leaky_td3 import LeakyTD3
from worker.agents import Exploration, NonFinite, make_agent
from worker.environment import SimulatorAddress, make_environment
from worker.probe import free_port
from worker.progress import Progress
from worker.replay import ReplayBuffer
from worker.server import EMBEDDED, start_server
from worker.snapshots import Snapshots
from worker.training import Training
from worker.vitals import Vitals

HEALTHY = "none"
CLOCKS = ("step", "episode", "time", "value")
FAULTS = ("learning-rate", "flipped-reward", "no-discount", "saturated")

# preset, overrides, seeds that must learn
TASKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "quickstart": ("quickstart", {"total_steps": 11_000, "evaluation_episodes": 10}, 10),
    "pendulum": (
        "quickstart",
        {
            "environment": "gymnasium:Pendulum-v1",
            "total_steps": 10_000,
            "evaluation_interval": 2_000,
            "evaluation_episodes": 5,
        },
        10,
    ),
    "inverted-pendulum": (
        "quickstart",
        {
            "environment": "gymnasium:InvertedPendulum-v5",
            "total_steps": 10_000,
            "exploration": "uniform",
            "evaluation_interval": 2_000,
            "evaluation_episodes": 5,
        },
        3,
    ),
    "vision": ("vision-small", {"total_steps": 16_000, "evaluation_episodes": 10}, 3),
}
LEAK = {
    "critic_input": "same",
    "total_steps": 2_000,
    "learning_starts": 1_000,
    "evaluation_interval": 0,
}


def config_of(task: str, fault: str, seed: int) -> RunConfig:
    preset, overrides, _ = TASKS[task]
    return parse_config(preset, {**overrides, **_overrides_of(fault), "seed": seed})


def run_case(task: str, fault: str, seed: int, points: Path | None = None) -> dict[str, Any]:
    """Train one case in this process and judge it; `points` is a file to keep all it logged in."""
    config = config_of(task, fault, seed)
    torch.set_num_threads(1)
    engine, began = GateEngine.for_config(config), time.process_time()
    with (
        _environment(config) as env,
        tempfile.TemporaryDirectory() as folder,
        closing(Snapshots(Path(folder), env)) as snapshots,
    ):
        broken_env: Any = _FlippedReward(env) if fault == "flipped-reward" else env
        agent = _agent(config, env, fault)
        ledger: Any = _Ledger(engine)
        saver: Any = _NoSaver()
        training = Training(
            config,
            broken_env,
            agent,
            ReplayBuffer(config.buffer_size, env.observation_space, agent.action_dim, seed),
            Exploration(config, agent.action_dim),
            Progress(),
            ledger,
            _NoCommands(),
            saver,
            Vitals(env, Path(folder)),
            snapshots,
        )
        try:
            training.run()
        except NonFinite as error:
            ledger.log({"learner/critic_loss": float("nan")}, training.progress.step, 0)
            ledger.event("critical", "non-finite", str(error))
    ledger.flush()
    engine.evaluate(training.progress.step, final=True)
    if points is not None:
        save_points(points, ledger.kept)
    return {
        **verdicts_of(task, fault, seed, engine.judge),
        "steps": training.progress.step,
        "cpu_seconds": round(time.process_time() - began),
        "evaluations": [round(value, 1) for value in ledger.evaluations],
    }


def rejudge_case(task: str, fault: str, seed: int, points: Path) -> dict[str, Any]:
    """What the rules as they are now say of a run that was kept."""
    facts = facts_of_config(config_of(task, fault, seed))
    judge = judge_series(load_points(points), facts, PRESETS["behavioural"])
    return verdicts_of(task, fault, seed, judge)


def save_points(path: Path, points: Iterable[Point]) -> None:
    arrays = {
        f"{metric}|{clock}": array
        for metric, columns in by_metric(points).items()
        for clock, array in zip(CLOCKS, columns.arrays, strict=True)
    }
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_points(path: Path) -> dict[str, Columns]:
    with np.load(path) as stored:
        metrics = {name.partition("|")[0] for name in stored.files}
        return {
            metric: Columns.of(*(stored[f"{metric}|{clock}"] for clock in CLOCKS))
            for metric in metrics
        }


def verdicts_of(task: str, fault: str, seed: int, judge: Judge) -> dict[str, Any]:
    """One line of the results file, without what only the training knows."""
    return {
        "task": task,
        "fault": fault,
        "seed": seed,
        "verdict": judge.verdict.value,
        "verdicts": [[turn.step, turn.verdict.value] for turn in judge.history],
        "improved": judge.returns.improved,
        "rules": {
            rule.name: [rule.first_warning, rule.first_critical]
            for rule in judge.results()
            if rule.first_warning is not None or rule.first_critical is not None
        },
    }


def _overrides_of(fault: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        "learning-rate": {"actor_learning_rate": 0.1, "critic_learning_rate": 0.1},
        "no-discount": {"gamma": 1.0},
        "leak": LEAK,
    }
    return found.get(fault, {})


@contextmanager
def _environment(config: RunConfig) -> Iterator[Any]:
    with ExitStack() as stack:
        address = None
        if config.is_carla:
            log = Path(tempfile.mkdtemp()) / "simulator.log"
            server = start_server(EMBEDDED, log)
            stack.callback(server.kill)
            address = SimulatorAddress(server.host, server.port, free_port())
        env = make_environment(config, address)
        stack.callback(env.close)
        yield env


def _agent(config: RunConfig, env: Any, fault: str) -> Any:
    if fault == "leak":
        return LeakyTD3(config, env.observation_space, env.action_space)
    agent = make_agent(config, env.observation_space, env.action_space)
    if fault == "saturated":
        with torch.no_grad():
            agent.actor.head.biases[-1].fill_(20.0)
        agent.target_actor.load_state_dict(agent.actor.state_dict())
    return agent


class _FlippedReward:
    """The learner is given -reward; what the episode really returned is logged as it was."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, -float(reward), terminated, truncated, info


class _Ledger:
    """A journal without a database: every thousand points go to the engine."""

    fenced = False
    activity = ""
    verdict = ""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.evaluations: list[float] = []
        self.kept: list[Point] = []
        self._points: list[Point] = []

    def log(self, values: Mapping[str, float], step: int, episode: int) -> None:
        self._points.extend((name, step, episode, 0.0, value) for name, value in values.items())
        if "evaluation/return_mean" in values:
            self.evaluations.append(values["evaluation/return_mean"])
        if len(self._points) > 1_000:
            self.flush()
            self.engine.evaluate(0)

    def flush(self) -> None:
        self.engine.observe(self._points)
        self.kept.extend(point for point in self._points if not point[0].startswith(UNREAD))
        self._points = []

    def reached(self, progress: Any, updates: int, rate: float) -> None:
        self.step = progress.step

    def demands(self) -> list[Any]:
        return []

    def conclude(self, timeout: float) -> None:
        self.flush()

    def event(self, level: str, kind: str, message: str) -> None:
        if level == "critical":
            print(f"{kind}: {message}", file=sys.stderr)

    def checkpoint(self, *_: Any) -> None:
        """Nothing is kept: the benchmark wants verdicts."""

    def observe(self, *_: Any) -> None:
        """There is no page to show it on."""

    def simulator(self, *_: Any) -> None:
        """Nor one that lists simulators."""


class _NoCommands:
    """Nobody asks anything of a benchmark."""

    stop_requested = False

    def poll(self) -> None:
        return None

    def answer(self, *_: Any) -> None:
        """Nothing was asked."""


class _NoSaver:
    """Writes no checkpoint."""

    def save(self, *_: Any) -> tuple[None, None]:
        return None, None

    def begin(self, *_: Any) -> None:
        return None

    def save_evidence(self, *_: Any) -> str:
        return "not kept"
