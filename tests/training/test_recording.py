"""Recordings of evaluations: what they hold, what they cost, and how many are kept."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

from backend.runs.parsing import parse_config
from backend.runs.recordings import (
    FOLDER,
    KEPT,
    RecordedEvaluation,
    read_film,
    read_recording,
    recording_names,
)
from worker.environment import SimulatorAddress
from worker.environment.carla_env import DrivingEnv
from worker.evaluation import evaluate
from worker.film import MOST_FRAMES, Shot, film
from worker.recording import Recording

RUN = 7


@pytest.fixture(scope="module")
def env(simulator: SimulatorAddress) -> Iterator[DrivingEnv]:
    config = parse_config("vision-small", {"max_episode_ticks": 120})
    env = DrivingEnv(config, simulator)
    yield env
    env.close()


def straight(_: Any) -> np.ndarray:
    return np.array([0.0, 0.4], np.float32)


def recorded(env: gymnasium.Env[Any, Any], snapshots: Path, episodes: int) -> RecordedEvaluation:
    recording = Recording(snapshots / f"run-{RUN:06d}", env, step=1234)
    evaluate(env, straight, range(episodes), watcher=recording)
    recording.close()
    (name,) = recording_names(snapshots / f"run-{RUN:06d}" / FOLDER)
    found = read_recording(snapshots, RUN, name)
    assert found is not None
    return found


def test_every_episode_leaves_its_way_and_the_first_and_the_worst_a_film(
    env: DrivingEnv, tmp_path: Path
) -> None:
    found = recorded(env, tmp_path, 3)
    assert (found.step, found.asked, len(found.episodes)) == (1234, False, 3)
    assert all(len(episode.driven) > 3 for episode in found.episodes)
    assert all(len(found.routes[e.route].points) > 10 for e in found.episodes)
    worst = min(found.episodes, key=lambda episode: episode.total)
    assert {e.number for e in found.episodes if e.film} == {0, worst.number}
    name = found.episodes[0].film
    data, still = (read_film(tmp_path, RUN, f"{name}{end}.webp") for end in ("", "-poster"))
    assert data is not None
    assert still is not None
    with Image.open(io.BytesIO(data)) as moving, Image.open(io.BytesIO(still)) as poster:
        frames: int = getattr(moving, "n_frames", 1)
        assert 5 < frames <= MOST_FRAMES
        assert moving.size == poster.size
    assert len(data) < 1_000_000


def test_recording_changes_nothing_of_what_is_driven(env: DrivingEnv, tmp_path: Path) -> None:
    plain = evaluate(env, straight, [5])
    watched = evaluate(env, straight, [5], watcher=Recording(tmp_path, env, 1))
    assert plain.episodes == watched.episodes


def test_an_episode_of_any_length_has_a_bounded_film() -> None:
    route = [(0.0, 0.0), (100.0, 20.0)]
    shots = [Shot((i / 2, i / 10), 0.1, 5.0, i / 2, i * 0.2, None) for i in range(MOST_FRAMES)]
    data = film(shots, route)
    assert len(data) < 1_000_000


def test_an_environment_without_a_road_is_not_recorded(tmp_path: Path) -> None:
    env = gymnasium.make("Pendulum-v1", max_episode_steps=5)
    recording = Recording(tmp_path, env, 1)
    recording.began(0, 0)
    recording.decided({})
    recording.ended({"return": 1.0})
    recording.close()
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_recordings_are_kept(env: DrivingEnv, tmp_path: Path) -> None:
    folder = tmp_path / f"run-{RUN:06d}" / FOLDER
    folder.mkdir(parents=True)
    for number in range(KEPT + 3):
        for end in (".json", "-0.webp", "-0-poster.webp"):
            (folder / f"step-{number:09d}-{1_000_000_000 + number}{end}").write_text("{}")
    recording = Recording(tmp_path / f"run-{RUN:06d}", env, step=99)
    evaluate(env, straight, [1], watcher=recording)
    recording.close()
    names = recording_names(folder)
    assert len(names) == KEPT
    assert names[0].startswith("step-000000099")
    assert len(list(folder.iterdir())) == 3 * KEPT


def test_names_that_are_no_recordings_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "secret.webp").write_bytes(b"x")
    for name in ("../secret.webp", "secret.webp", "/etc/passwd", "step-1-2.webp"):
        assert read_film(tmp_path, RUN, name) is None
        assert read_recording(tmp_path, RUN, name) is None
