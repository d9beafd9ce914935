"""A small training loop with everything a checkpoint must hold; also run as a process that gets killed."""

import random
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from backend.checkpoints.files import CheckpointFiles
from backend.runs.config import RunConfig
from worker.agents import Exploration, make_agent
from worker.checkpointing import (
    Capture,
    CheckpointInfo,
    TrainerState,
    capture_checkpoint,
    capture_rng,
    load_checkpoint,
    restore_rng,
    write_checkpoint,
)
from worker.replay import ReplayBuffer

CONFIG = RunConfig(
    environment="gymnasium:Pendulum-v1", hidden_sizes=[16], head_layer_norm=True, batch_size=16,
    learning_starts=30, exploration="held", buffer_size=150, seed=5,
)  # fmt: skip
VISION = CONFIG.model_copy(
    update={
        "environment": "carla",
        "actor_input": "image",
        "critic_input": "vector",
        "encoder": "small",
        "frame_stack": 2,
        "batch_size": 4,
    }
)


class Pictures(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pendulum with made-up pictures: a function of what it observes."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(**options)
        self.frames = [self._frame(observation)] * 2
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        self.frames = [self.frames[-1], self._frame(observation)]
        return self._seen(observation), float(reward), terminated, truncated, info

    def _frame(self, observation: NDArray[np.float32]) -> NDArray[np.uint8]:
        grey = (np.abs(observation[0]) * np.arange(84 * 84) % 256).astype(np.uint8)
        return grey.reshape(84, 84)

    def _seen(self, observation: NDArray[np.float32]) -> dict[str, Any]:
        command = np.array([observation[2] / 8, 0], np.float32)
        return {"vector": observation, "image": np.stack(self.frames), "command": command}


class Loop:
    """Act, step, store, learn; episodes of 40 steps, replayed from seed and actions after a load."""

    def __init__(self, config: RunConfig) -> None:
        torch.set_num_threads(1)
        self.config = config
        env = gymnasium.make("Pendulum-v1", max_episode_steps=40)
        self.space = spaces.Dict({"vector": spaces.Box(-8, 8, (3,), np.float32)})
        if config.uses_images:
            env = Pictures(env)
            self.space["image"] = spaces.Box(0, 255, (2, 84, 84), np.uint8)
            self.space["command"] = spaces.Box(-1, 1, (2,), np.float32)
        self.env = env
        box = spaces.Box(-1, 1, (2 if config.is_carla else 1,), np.float32)
        self.agent = make_agent(config, self.space, box)
        self.replay = ReplayBuffer(
            config.buffer_size, self.space, self.agent.action_dim, config.seed, region_bytes=2000
        )
        self.exploration = Exploration(config, self.agent.action_dim)
        self.step = self.episode = 0
        self.seed = 0
        self.actions: list[NDArray[np.float32]] = []
        self.observation = self.begin()

    def begin(self) -> dict[str, NDArray[Any]]:
        # the global generators take part, as users' environments may use them
        self.seed = random.getrandbits(20) + int(np.random.randint(1000))
        self.actions = []
        self.exploration.reset()
        return self._seen(self.env.reset(seed=self.seed)[0])

    def run(self, steps: int) -> None:
        for _ in range(steps):
            if self.step < self.config.learning_starts:
                action = self.exploration.explore()
            else:
                action = self.exploration.perturb(self.agent.act(self.observation), self.step)
            following, reward, terminated, truncated = self._step(action)
            self.replay.add(self.observation, action, reward, following, terminated, truncated)
            self.actions.append(action)
            self.observation = following
            self.step += 1
            if terminated or truncated:
                self.episode += 1
                self.observation = self.begin()
            if self.step >= self.config.learning_starts:
                self.agent.update(self.replay.sample(self.config.batch_size))

    def save(self, folder: Path) -> CheckpointFiles:
        return write_checkpoint(self.capture(folder))

    def capture(self, folder: Path) -> Capture:
        progress = {
            "step": self.step,
            "episode": self.episode,
            "seed": self.seed,
            "actions": np.array(self.actions, np.float32).reshape(-1, self.agent.action_dim),
        }
        state = TrainerState(
            self.agent.state_dict(), self.exploration.state_dict(), progress, capture_rng()
        )
        info = CheckpointInfo(
            self.config, "interval", self.step, self.episode, self.agent.updates, self.space,
            self.agent.action_dim,
        )  # fmt: skip
        return capture_checkpoint(folder, state, self.replay, info)

    def load(self, path: Path) -> None:
        state = load_checkpoint(path, self.replay)
        self.agent.load_state_dict(state.agent)
        self.exploration.load_state_dict(state.exploration)
        self.step, self.episode = state.progress["step"], state.progress["episode"]
        self.seed = state.progress["seed"]
        self.observation = self._seen(self.env.reset(seed=self.seed)[0])
        self.actions = list(state.progress["actions"].numpy())
        for action in self.actions:
            self.observation, *_ = self._step(action)
        restore_rng(state.rng)

    def _step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool]:
        seen, reward, terminated, truncated, _ = self.env.step(2 * action[:1])
        return self._seen(seen), float(reward), terminated, truncated

    def _seen(self, observation: Any) -> dict[str, NDArray[Any]]:
        return observation if isinstance(observation, dict) else {"vector": observation}


def seed_everything() -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)


if __name__ == "__main__":
    seed_everything()
    loop = Loop(CONFIG)
    loop.run(110)
    loop.save(Path(sys.argv[1]))
    print("saved", flush=True)  # noqa: T201
    while True:
        loop.run(1)
