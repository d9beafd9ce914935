"""Exploration before and after learning starts."""

from itertools import pairwise

import numpy as np
import pytest

from tests.agents.samples import config
from worker.agents import Exploration


def test_the_schedule_decays_from_the_start_of_learning() -> None:
    noise = Exploration(config(learning_starts=1000), 2)
    assert noise.sigma(0) == noise.sigma(1000) == pytest.approx(0.3)
    assert noise.sigma(5000) == pytest.approx(0.1 + 0.2 * np.exp(-1.0))
    assert noise.sigma(10**6) == pytest.approx(0.1)


def test_a_constant_schedule_is_one_without_decay() -> None:
    noise = Exploration(config(noise_decay=0.0, noise_initial=0.2), 2)
    assert noise.sigma(10**6) == 0.2


def test_noise_has_the_scheduled_spread_and_stays_in_range() -> None:
    noise = Exploration(config(), 2)
    drawn = np.array([noise.perturb(np.zeros(2, np.float32), 8) for _ in range(4000)])
    assert drawn.std() == pytest.approx(0.3, rel=0.05)
    assert drawn.dtype == np.float32
    assert np.abs([noise.perturb(np.ones(2, np.float32), 8) for _ in range(100)]).max() <= 1


def test_uniform_exploration_covers_the_action_space() -> None:
    noise = Exploration(config(), 3)
    drawn = np.array([noise.explore() for _ in range(3000)])
    assert np.abs(drawn.mean(0)).max() < 0.05
    assert drawn.std() == pytest.approx(1 / 3**0.5, rel=0.05)


def test_held_exploration_keeps_an_action_about_as_long_as_configured() -> None:
    noise = Exploration(config(exploration="held", hold_decisions=10.0), 2)
    drawn = [noise.explore() for _ in range(5000)]
    changes = sum(not np.array_equal(a, b) for a, b in pairwise(drawn))
    assert 5000 / changes == pytest.approx(10, rel=0.15)


def test_held_exploration_drives_mostly_forward_and_can_do_anything() -> None:
    noise = Exploration(config(exploration="held", hold_decisions=1.0), 2)
    drawn = np.array([noise.explore() for _ in range(4000)])
    assert np.mean(drawn[:, 1] > 0) == pytest.approx(0.75, abs=0.03)
    assert np.mean(np.abs(drawn[:, 0]) < 0.4) > 0.75
    counts, _, _ = np.histogram2d(drawn[:, 0], drawn[:, 1], bins=4, range=[[-1, 1], [-1, 1]])
    assert counts.min() > 0


def test_held_exploration_of_other_environments_is_not_biased() -> None:
    chosen = config(exploration="held", hold_decisions=1.0, environment="gymnasium:Pendulum-v1")
    drawn = np.array([Exploration(chosen, 1).explore() for _ in range(50)])
    assert drawn.shape == (50, 1)
    noise = Exploration(chosen, 3)
    assert np.abs(np.array([noise.explore() for _ in range(3000)]).mean(0)).max() < 0.05


def test_a_new_episode_lets_go_of_the_held_action() -> None:
    noise = Exploration(config(exploration="held", hold_decisions=1e9), 2)
    first = noise.explore()
    assert np.array_equal(noise.explore(), first)
    noise.reset()
    assert not np.array_equal(noise.explore(), first)


@pytest.mark.parametrize("kind", ["uniform", "held"])
def test_a_restored_exploration_draws_what_the_first_would_have_drawn(kind: str) -> None:
    first = Exploration(config(exploration=kind), 2)
    for _ in range(7):
        first.explore()
    second = Exploration(config(exploration=kind, seed=9), 2)
    second.load_state_dict(first.state_dict())
    for _ in range(50):
        assert np.array_equal(first.explore(), second.explore())
    zero = np.zeros(2, np.float32)
    assert np.array_equal(first.perturb(zero, 9), second.perturb(zero, 9))
