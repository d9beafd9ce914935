"""A dry run before the long one: every phase once, on the real environment, with the run's own configuration."""

import gc
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from backend.checkpoints.kinds import CheckpointKind
from backend.errors import FencedOff, InvalidConfig, PitwallError
from backend.runs.config import RunConfig
from worker.agents import Exploration, make_agent
from worker.commands import StopRequested
from worker.environment import SimulatorLost
from worker.environment.carla_env import DrivingEnv
from worker.environment.observation import Action, Observation
from worker.finiteness import refuse_action, refuse_transition
from worker.preflight import checkpoints_size
from worker.progress import Episode, Progress
from worker.replay import ReplayBuffer, ReplaySize, replay_size
from worker.saving import Saver
from worker.seeding import Stream, begin_episode, episode_seed
from worker.stages import Tell, untold

DECISIONS = 20
MOST_UPDATES = 8
FOLDER = ".preflight"
PHASES = (
    "exploration",
    "the first updates",
    "acting while learning",
    "evaluation",
    "checkpoint and restore",
)


class RehearsalFailed(PitwallError):
    """A phase of the run does not work; it would have failed hours later."""

    status = 422
    title = "Pre-flight failed"


@dataclass(frozen=True)
class Rehearsal:
    """What one decision, update and checkpoint took, in seconds, and what the whole run will need.

    `longest_episode` is in decisions; None where the environment names no limit.
    """

    exploring: float
    acting: float
    updating: float
    evaluating: float
    updates: int
    checkpoint_bytes: int
    longest_episode: int | None
    size: ReplaySize
    gpu_bytes: int
    took: float

    def describe(self, config: RunConfig, step: int = 0) -> dict[str, str]:
        """The result in words, by the names the run page shows; the time is that from `step` on."""
        learning = 1 / (self.acting + config.updates_per_step * self.updating)
        return {
            "preflight": f"passed in {self.took:.1f} s: exploration, phase change, {self.updates} updates, "
            "evaluation, checkpoint, restore",
            "expected_speed": f"exploring {_rate(1 / self.exploring)}, learning {_rate(learning)}, evaluating "
            f"{_rate(1 / self.evaluating)} decisions/s; an update takes {1e3 * self.updating:,.1f} ms",
            "expected_time": self._time(config, step),
            "expected_memory": f"replay buffer {_bytes(self.size.memory)} of memory and "
            f"{_bytes(self.size.disk)} of disk when full; {_bytes(self.checkpoint_bytes)} a checkpoint "
            f"besides the buffer; all checkpoints about {_bytes(self._checkpoints(config))} of disk"
            f"{self._gpu()}",
        }

    def _checkpoints(self, config: RunConfig) -> int:
        return checkpoints_size(config, self.size, self.checkpoint_bytes)

    def _gpu(self) -> str:
        return f"; {_bytes(self.gpu_bytes)} of the GPU" if self.gpu_bytes else ""

    def _time(self, config: RunConfig, step: int) -> str:
        explored = max(0, config.learning_starts - step)
        learnt = config.total_steps - max(step, config.learning_starts)
        exploration = explored * self.exploring
        learning = learnt * (self.acting + config.updates_per_step * self.updating)
        parts = [f"exploration {_duration(exploration)}", f"learning {_duration(learning)}"]
        total = exploration + learning
        if config.evaluation_interval and self.longest_episode:
            times = (config.total_steps - step) // config.evaluation_interval + 1
            most = times * config.evaluation_episodes * self.longest_episode * self.evaluating
            parts.append(f"evaluations {_duration(most)} at most")
            total += most
        return f"about {_duration(total)}: {', '.join(parts)}"


def rehearse(
    config: RunConfig, env: gymnasium.Env[Any, Any], folder: Path, tell: Tell = untold
) -> Rehearsal:
    """Seconds of it: explore, change phase, update, act, evaluate, save and restore.

    Raises:
        RehearsalFailed: with the phase at fault.
        InvalidConfig: the second town lacks a route.
        SimulatorLost: no fault of the configuration.
    """
    began = time.perf_counter()
    place = folder / FOLDER
    try:
        return _Rehearsing(config, env, place, tell).run(began)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        _leave_gpu()


def _leave_gpu() -> None:
    """Give back what the rehearsal held: an agent and its graphs hold each other until they are collected."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


class _Rehearsing:
    """Parts like the run's own, thrown away afterwards; only the environment is the run's."""

    def __init__(
        self, config: RunConfig, env: gymnasium.Env[Any, Any], folder: Path, tell: Tell
    ) -> None:
        # However long the delay, the actor's turn is tried too; an update then takes a little less than this.
        self._config = config.model_copy(
            update={"policy_delay": min(config.policy_delay, MOST_UPDATES // 2)}
        )
        self._env = env
        self._folder = folder
        self._tell = tell
        self._phase = PHASES[0]
        folder.mkdir(parents=True, exist_ok=True)
        self._seed = episode_seed(config.seed, Stream.REFERENCE, 0)
        self._agent, self._replay, self._exploration, self._saver = self._parts()

    def _parts(self) -> tuple[Any, ReplayBuffer, Exploration, Saver]:
        config, observations, actions = (
            self._config,
            self._env.observation_space,
            self._env.action_space,
        )
        assert isinstance(observations, spaces.Dict)
        assert isinstance(actions, spaces.Box)
        agent = make_agent(config, observations, actions)
        replay = ReplayBuffer(
            4 * DECISIONS, observations, agent.action_dim, config.seed, self._folder
        )
        exploration = Exploration(config, agent.action_dim)
        saver = Saver(self._folder, config, self._env, agent, replay, exploration)
        return agent, replay, exploration, saver

    def run(self, began: float) -> Rehearsal:
        config, agent = self._config, self._agent
        with self._at("exploration"):
            exploring = self._drive(lambda _: self._exploration.explore())
        with self._at("the first updates"):
            updating, updates = self._update()
        with self._at("acting while learning"):
            step = config.learning_starts
            acting = self._drive(lambda seen: self._exploration.perturb(agent.act(seen), step))
        with self._at("evaluation"):
            evaluating = self._drive(agent.act, evaluation=True, route=0)
            self._visit_second_town()
        with self._at("checkpoint and restore"):
            size = self._save_and_restore()
        space = self._env.observation_space
        assert isinstance(space, spaces.Dict)
        return Rehearsal(
            exploring=exploring,
            acting=acting,
            updating=updating,
            evaluating=evaluating,
            updates=updates,
            checkpoint_bytes=size,
            longest_episode=longest_episode(config, self._env),
            size=replay_size(config.buffer_size, space, agent.action_dim),
            gpu_bytes=gpu_bytes(agent.device),
            took=time.perf_counter() - began,
        )

    def _drive(self, choose: Callable[[Observation], Action], **options: Any) -> float:
        """Seconds of a decision; resets are not counted."""
        seconds, over = 0.0, True
        observation: Observation = {}
        for _ in range(DECISIONS):
            self._beat()
            if over:
                observation = begin_episode(self._env, self._seed, options)
            began = time.perf_counter()
            action = choose(observation)
            refuse_action(self._phase, action, observation)
            following, reward, terminated, truncated, _ = self._env.step(action)
            refuse_transition(self._phase, following, float(reward))
            seconds += time.perf_counter() - began
            self._replay.add(observation, action, float(reward), following, terminated, truncated)
            observation, over = following, terminated or truncated
        return seconds / DECISIONS

    def _visit_second_town(self) -> None:
        """A route that does not exist there shall not end the run days later."""
        env = self._env.unwrapped
        if isinstance(env, DrivingEnv) and self._config.second_town:
            env.travel(abroad=True)
            env.travel(abroad=False)

    def _update(self) -> tuple[float, int]:
        """Seconds of an update once they have settled, and how many were made; the actor's turn among them."""
        count = 2 * self._config.policy_delay
        for _ in range(self._agent.settling):
            self._beat()
            self._agent.update(self._replay.sample(self._config.batch_size))
        self._agent.diagnostics()
        began = time.perf_counter()
        for _ in range(count):
            self._beat()
            self._agent.update(self._replay.sample(self._config.batch_size))
        self._agent.diagnostics()
        return (time.perf_counter() - began) / count, count + self._agent.settling

    @contextmanager
    def _at(self, phase: str) -> Iterator[None]:
        self._phase = phase
        self._beat()
        try:
            yield
        except (SimulatorLost, InvalidConfig, StopRequested, FencedOff):
            raise
        except Exception as error:
            raise RehearsalFailed(f"pre-flight: {phase} failed: {error}") from error

    def _beat(self) -> None:
        self._tell(f"pre-flight: {self._phase}", PHASES.index(self._phase) + 1, len(PHASES))

    def _save_and_restore(self) -> int:
        """Bytes of what is saved; everything comes back as it was.

        Raises:
            PitwallError: it does not.
        """
        observation = begin_episode(self._env, self._seed)
        progress = Progress(step=2 * DECISIONS, episode=Episode(0, self._seed, observation))
        _, files = self._saver.save(CheckpointKind.MANUAL, progress)
        agent, replay, _, saver = self._parts()
        restored = saver.restore(files.path)
        same = torch.equal(_weights(agent), _weights(self._agent)) and len(replay) == len(
            self._replay
        )
        if not same or restored.step != progress.step:
            raise PitwallError("what was restored is not what was saved")
        if not np.array_equal(agent.act(observation), self._agent.act(observation)):
            raise PitwallError("the restored policy acts differently")
        return files.bytes


def gpu_bytes(device: torch.device) -> int:
    """The most this process held of the GPU so far."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0


def longest_episode(config: RunConfig, env: gymnasium.Env[Any, Any]) -> int | None:
    if config.is_carla:
        return config.max_episode_ticks // config.ticks_per_decision
    limit = getattr(env.unwrapped, "max_episode_steps", None)
    return int(limit) if limit else None


def _weights(agent: Any) -> torch.Tensor:
    return torch.cat([agent.actor_optimiser.vector.values, agent.critic_optimiser.vector.values])


def _rate(each_second: float) -> str:
    return f"{each_second:,.0f}" if each_second >= 10 else f"{each_second:.2g}"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"
