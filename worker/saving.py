"""A trainer's state on disk and back: which parts, in which order, and how an episode under way is replayed."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

import gymnasium
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from backend.checkpoints.files import CheckpointFiles, unused_path
from backend.checkpoints.kinds import CheckpointKind
from backend.errors import CheckpointDamaged, CheckpointError
from backend.runs.config import RunConfig
from worker.agents import TD3, Exploration
from worker.checkpointing import (
    Capture,
    CheckpointInfo,
    TrainerState,
    capture_checkpoint,
    capture_rng,
    load_checkpoint,
    restore_rng,
    separate,
    write_checkpoint,
)
from worker.kept import KeptMemory
from worker.progress import Episode, Progress
from worker.replay import ReplayBuffer
from worker.seeding import begin_episode
from worker.stages import Tell, untold

log = logging.getLogger(__name__)

Written = Callable[[CheckpointInfo, CheckpointFiles | CheckpointError], None]


class Saver:
    """Writes checkpoints of one attempt into the run's folder and restores from any of them.

    One is written at a time: capturing the next waits until the one before is on the disk.

    Attributes:
        told_damage: called, in the writer's thread, when a file of the last two checkpoints has rotted.
    """

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        env: gymnasium.Env[Any, Any],
        agent: TD3,
        replay: ReplayBuffer,
        exploration: Exploration,
    ) -> None:
        self._folder = folder
        self._config = config
        self._env = env
        self._agent = agent
        self._replay = replay
        self._exploration = exploration
        self._memory = KeptMemory()
        agent.state_dict(self._memory.tensor)  # its pages now, not in the first checkpoint's pause
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None
        self._wanted = Event()
        self.told_damage: Callable[[CheckpointDamaged], None] = log.error

    def save(
        self, kind: CheckpointKind, progress: Progress
    ) -> tuple[CheckpointInfo, CheckpointFiles]:
        """Everything the run needs to go on exactly here, on the disk when this returns.

        Raises:
            CheckpointError: nothing was written; earlier checkpoints are whole.
        """
        capture = self.capture(kind, progress)
        files = write_checkpoint(capture)
        self._writer.submit(self._separate, capture)
        return capture.info, files

    def begin(self, kind: CheckpointKind, progress: Progress, written: Written) -> None:
        """The same without waiting for the disk: training pauses for the copy only.

        `written` is told in the writer's thread.
        """
        capture = self.capture(kind, progress)
        self._wanted.set()
        self._writing = self._writer.submit(self._write, capture, written)
        self._writer.submit(self._separate, capture)

    def settle(self) -> None:
        """Wait until what was begun is written and told."""
        if self._writing is not None:
            self._writing.result()

    def close(self) -> None:
        self._writer.shutdown()

    def _write(self, capture: Capture, written: Written) -> None:
        self._wanted.clear()
        try:
            files = write_checkpoint(capture)
        except CheckpointError as error:
            written(capture.info, error)
        else:
            written(capture.info, files)

    def _separate(self, capture: Capture) -> None:
        """In the writer's thread, until the next checkpoint wants it."""
        try:
            several = self._config.checkpoints_kept > 1
            separate(capture, go_on=lambda: not self._wanted.is_set(), in_turn=several)
        except CheckpointDamaged as error:
            self.told_damage(error)

    def capture(self, kind: CheckpointKind, progress: Progress) -> Capture:
        """This moment in memory of its own; one at a time."""
        self.settle()
        assert isinstance(self._env.observation_space, gymnasium.spaces.Dict)
        state = TrainerState(
            agent=self._agent.state_dict(self._memory.tensor),
            exploration=self._exploration.state_dict(),
            progress=_packed(progress),
            rng=capture_rng(),
        )
        info = CheckpointInfo(
            config=self._config,
            kind=kind,
            step=progress.step,
            episode=progress.episodes,
            updates=self._agent.updates,
            observation_space=self._env.observation_space,
            action_dim=self._agent.action_dim,
        )
        return capture_checkpoint(
            self._folder,
            state,
            self._replay,
            info,
            lambda name, array: self._memory.array(f"replay/{name}", array),
        )

    def restore(self, path: Path, tell: Tell = untold) -> Progress:
        """Put every part back; the progress still has its episode to be driven again.

        Raises:
            CheckpointDamaged: a file does not match its hash.
        """
        state = load_checkpoint(path, self._replay, tell)
        self._agent.load_state_dict(state.agent)
        self._exploration.load_state_dict(state.exploration)
        restore_rng(state.rng)
        return _unpacked(state.progress)

    def save_evidence(self, name: str, evidence: Mapping[str, NDArray[Any]]) -> Path:
        """Arrays for a person to look at, beside the checkpoints; what earlier attempts left stays."""
        path = unused_path(self._folder, f"{name}.safetensors")
        safetensors.numpy.save_file(
            {key: np.ascontiguousarray(value) for key, value in evidence.items()}, path
        )
        return path


def replay_episode(env: gymnasium.Env[Any, Any], episode: Episode, tell: Tell = untold) -> bool:
    """Drive an episode's actions again; whether the world is where it was, to the last bit.

    A simulator that is not deterministic (a real CARLA server, other traffic) ends up elsewhere.
    """
    observation = begin_episode(env, episode.seed)
    over = False
    rewards: list[float] = []
    for number, action in enumerate(episode.actions, 1):
        if over:
            return False
        tell("restoring: driving the episode again", number, len(episode.actions))
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward))
        over = terminated or truncated
    return (
        not over
        and rewards == episode.rewards
        and all(
            np.array_equal(observation[name], value) for name, value in episode.observation.items()
        )
    )


def _packed(progress: Progress) -> dict[str, Any]:
    tree = asdict(progress)
    if episode := progress.episode:
        tree["episode"]["actions"] = np.array(episode.actions, np.float32)
        tree["episode"]["rewards"] = np.array(episode.rewards)
    return tree


def _unpacked(tree: dict[str, Any]) -> Progress:
    found = Progress(**{**tree, "episode": None})
    found.best = tuple(tree["best"]) if tree["best"] else None
    if episode := tree["episode"]:
        found.episode = Episode(
            number=episode["number"],
            seed=episode["seed"],
            observation={name: value.numpy() for name, value in episode["observation"].items()},
            actions=list(episode["actions"].numpy()),
            rewards=episode["rewards"].tolist() if "rewards" in episode else [],
        )
    return found
