"""An attempt repeats what the environment drew, from whatever generator, and notices where it does not."""

import random
import time
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.envs.classic_control import PendulumEnv

from backend.runs.events import list_events
from backend.runs.service import request_resume
from tests.training.conftest import EVALUATED, HALT, MakeLab
from worker.saving import replay_episode
from worker.train import settle


class Wandering(PendulumEnv):
    """A pendulum pushed about by what it draws from everybody's generators."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        push = random.uniform(-1, 1) + np.random.uniform(-1, 1) + float(torch.rand(()))
        return super().step(np.clip(action + push, -2, 2))


class Fated(PendulumEnv):
    """A pendulum with something drawn once and for all."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.fate = np.random.uniform()


gymnasium.register("Wandering-v0", Wandering, max_episode_steps=200)


gymnasium.register("Fated-v0", Fated, max_episode_steps=200)


def test_what_an_environment_draws_from_the_global_generators_is_drawn_again(
    make_lab: MakeLab,
) -> None:
    wandering = {"environment": "gymnasium:Wandering-v0", **EVALUATED}
    whole, parts = make_lab(**wandering), make_lab(**wandering)
    whole.run()
    parts.run(at_330=HALT)
    with parts.database.write() as session:
        request_resume(session, parts.run_id, time.time())
    parts.run()
    for name in ("progress/reward", "evaluation/return_mean", "evaluation/random_return"):
        assert parts.values(name) == whole.values(name), name
    with parts.database.read() as session:
        events = [e.kind for e in list_events(session, parts.run_id)]
    assert "episode" not in events  # it did not have to begin anew


def test_an_environment_that_draws_while_it_is_made_is_the_same_at_every_attempt(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(environment="gymnasium:Fated-v0")
    fates = []
    for stop in (130, 300):
        with lab.attempt(**{f"at_{stop}": HALT}) as training:
            fates.append(training.env.unwrapped._env.unwrapped.fate)  # type: ignore[attr-defined]
            end = training.run()
            token = training.journal._claim.token
        settle(lab.database, lab.run_id, token, end)
        with lab.database.write() as session:
            request_resume(session, lab.run_id, time.time())
    assert fates[0] == fates[1]


def test_an_episode_whose_rewards_are_others_begins_anew(make_lab: MakeLab) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        training._between_episodes()
        for _ in range(5):
            training._act()
        episode = training.progress.episode
        assert episode is not None
        assert replay_episode(training.env, episode)
        episode.rewards[2] += 1e-9
        assert not replay_episode(training.env, episode)
