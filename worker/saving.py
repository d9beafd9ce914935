"""A trainer's state on disk and back: which parts, in which order, and how an episode under way is replayed."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from backend.checkpoints.files import CheckpointFiles
from backend.checkpoints.kinds import CheckpointKind
from backend.runs.config import RunConfig
from worker.agents import TD3, Exploration
from worker.checkpointing import (
    CheckpointInfo,
    TrainerState,
    capture_rng,
    load_checkpoint,
    restore_rng,
    save_checkpoint,
)
from worker.progress import Episode, Progress
from worker.replay import ReplayBuffer


class Saver:
    """Writes checkpoints of one attempt into the run's folder and restores from any of them."""

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

    def save(self, kind: CheckpointKind, progress: Progress) -> CheckpointFiles:
        """Everything the run needs to go on exactly here.

        Raises:
            CheckpointError: nothing was written; earlier checkpoints are whole.
        """
        assert isinstance(self._env.observation_space, gymnasium.spaces.Dict)
        state = TrainerState(
            agent=self._agent.state_dict(),
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
        return save_checkpoint(self._folder, state, self._replay, info)

    def restore(self, path: Path) -> Progress:
        """Put every part back; the progress still has its episode to be driven again.

        Raises:
            CheckpointDamaged: a file does not match its hash.
        """
        state = load_checkpoint(path, self._replay)
        self._agent.load_state_dict(state.agent)
        self._exploration.load_state_dict(state.exploration)
        restore_rng(state.rng)
        return _unpacked(state.progress)

    def save_evidence(self, name: str, evidence: Mapping[str, NDArray[Any]]) -> Path:
        """Arrays for a person to look at, beside the checkpoints."""
        path = self._folder / name
        safetensors.numpy.save_file(
            {key: np.ascontiguousarray(value) for key, value in evidence.items()}, path
        )
        return path


def replay_episode(env: gymnasium.Env[Any, Any], episode: Episode) -> bool:
    """Drive an episode's actions again; whether the world is where it was, to the last bit.

    A simulator that is not deterministic (a real CARLA server, other traffic) ends up elsewhere.
    """
    observation, _ = env.reset(seed=episode.seed)
    over = False
    for action in episode.actions:
        if over:
            return False
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
    return not over and all(
        np.array_equal(observation[name], value) for name, value in episode.observation.items()
    )


def _packed(progress: Progress) -> dict[str, Any]:
    tree = asdict(progress)
    if episode := progress.episode:
        tree["episode"]["actions"] = np.array(episode.actions, np.float32)
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
        )
    return found
