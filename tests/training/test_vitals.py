"""Vital signs: what is counted between two samples, and that pauses do not count."""

import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from backend.metrics.catalog import CATALOG
from worker.vitals import Vitals


@pytest.fixture
def vitals(tmp_path: Path) -> Vitals:
    return Vitals(gymnasium.make("Pendulum-v1"), tmp_path)


def drive(vitals: Vitals, *actions: tuple[float, float]) -> None:
    for action in actions:
        vitals.decision(np.array(action, np.float32))


def test_every_sampled_metric_is_in_the_catalogue(vitals: Vitals) -> None:
    drive(vitals, (0.0, 1.0))
    vitals.reset_took(0.01)
    with vitals.updating():
        pass
    assert set(vitals.sample(updates=1, learning=True)) <= set(CATALOG)


def test_actions_are_those_since_the_last_sample(vitals: Vitals) -> None:
    drive(vitals, (-1.0, 0.5), (1.0, 0.5))
    first = vitals.sample(updates=0, learning=False)
    drive(vitals, (0.25, -1.0))
    second = vitals.sample(updates=0, learning=False)
    assert (first["actions/steering_mean"], first["actions/steering_std"]) == (0.0, 1.0)
    assert (second["actions/steering_mean"], second["actions/throttle_max"]) == (0.25, -1.0)


def test_updates_per_step_is_observed_not_configured(vitals: Vitals) -> None:
    drive(vitals, *[(0.0, 0.0)] * 4)
    assert vitals.sample(updates=2, learning=True)["learner/updates_per_step"] == 0.5
    drive(vitals, *[(0.0, 0.0)] * 4)
    assert vitals.sample(updates=2, learning=True)["learner/updates_per_step"] == 0.0


def test_time_paused_does_not_lower_the_speed(vitals: Vitals) -> None:
    began = time.perf_counter()
    drive(vitals, (0.0, 0.0))
    with vitals.paused():
        time.sleep(0.3)
    rate = vitals.sample(updates=0, learning=False)["progress/steps_per_second"]
    assert rate > 1 / (time.perf_counter() - began)


def test_an_update_has_a_time_only_if_there_was_one(vitals: Vitals) -> None:
    drive(vitals, (0.0, 0.0))
    assert "system/update_ms" not in vitals.sample(updates=0, learning=False)


def test_updates_per_step_says_nothing_before_learning_starts(vitals: Vitals) -> None:
    drive(vitals, (0.0, 0.0))
    assert "learner/updates_per_step" not in vitals.sample(updates=0, learning=False)
