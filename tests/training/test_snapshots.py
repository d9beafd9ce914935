"""Snapshots: what they hold, how seldom they are written, and that nothing they meet stops training."""

import io
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

from backend.runs.parsing import parse_config
from backend.runs.snapshots import FRAME, TRACE, Trace, read_frame, read_trace
from worker.environment import SimulatorAddress
from worker.environment.carla_env import DrivingEnv
from worker.snapshots import GAP, INTERVAL, Snapshots, picture

FORWARD = np.array([0.0, 0.6], np.float32)
RUN = 7


@pytest.fixture(scope="module")
def env(simulator: SimulatorAddress) -> Iterator[DrivingEnv]:
    env = DrivingEnv(parse_config("vision-small"), simulator)
    yield env
    env.close()


class Clock:
    """Time as a test sets it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def snapshots(env: DrivingEnv, tmp_path: Path, clock: Clock) -> Snapshots:
    env.reset(seed=1)
    return Snapshots(tmp_path / "run-000007", env, clock)


def drive(env: DrivingEnv, snapshots: Snapshots, steps: range, episode: int = 0) -> None:
    for step in steps:
        observation, *_, info = env.step(FORWARD)
        snapshots.decision(step, episode, observation, info)


def seen(folder: Path) -> Trace:
    trace = read_trace(folder, RUN)
    assert trace is not None
    return trace


def test_a_snapshot_is_written_every_two_seconds_and_not_more(
    env: DrivingEnv, snapshots: Snapshots, tmp_path: Path, clock: Clock
) -> None:
    drive(env, snapshots, range(1, 5))
    assert seen(tmp_path).step == 1
    clock.now += INTERVAL
    drive(env, snapshots, range(5, 7))
    assert seen(tmp_path).step == 5
    assert sorted(path.name for path in (tmp_path / "run-000007").iterdir()) == [FRAME, TRACE]


def test_the_trace_follows_the_vehicle_along_its_route(
    env: DrivingEnv, snapshots: Snapshots, tmp_path: Path, clock: Clock
) -> None:
    drive(env, snapshots, range(1, 21))
    clock.now += INTERVAL
    drive(env, snapshots, range(21, 22))
    trace = seen(tmp_path)
    gaps = np.hypot(*np.diff(np.array(trace.route), axis=0).T)
    assert gaps.max() <= 2.02
    assert len(trace.route) == pytest.approx(env.route.length / 2, abs=2)
    assert trace.driven[-1] == pytest.approx((env.ego.x, env.ego.y), abs=0.01)
    assert 3 < len(trace.driven) <= 22
    assert (trace.termination, trace.previous, trace.picture) == (None, None, True)
    assert trace.speed == pytest.approx(env.ego.speed)


def test_another_episode_begins_another_trace_and_remembers_how_the_last_one_ended(
    env: DrivingEnv, snapshots: Snapshots, tmp_path: Path, clock: Clock
) -> None:
    observation, *_, info = env.step(FORWARD)
    snapshots.decision(1, 0, observation, {**info, "termination": "off_route"})
    assert seen(tmp_path).termination == "off_route"
    clock.now += INTERVAL
    env.reset(seed=2)
    drive(env, snapshots, range(2, 3), episode=1)
    trace = seen(tmp_path)
    assert (trace.episode, trace.termination, trace.previous) == (1, None, "off_route")
    assert len(trace.driven) == 2


def test_the_picture_shows_the_camera_beside_what_the_network_gets(
    env: DrivingEnv, snapshots: Snapshots, tmp_path: Path
) -> None:
    observation, *_, info = env.step(FORWARD)
    snapshots.decision(1, 0, observation, info)
    frame = read_frame(tmp_path, RUN)
    assert frame is not None
    shown = np.array(Image.open(io.BytesIO(frame)).convert("RGB"), np.float32)
    assert shown.shape == (84, 84 + GAP + 84, 3)
    rgb, gray = env.last_rgb, observation["image"][-1]
    assert rgb is not None
    assert np.abs(shown[:, :84] - rgb).mean() < 6
    assert np.abs(shown[:, -84:] - gray[:, :, None]).mean() < 6


def test_a_wide_camera_and_its_gray_frame_stand_at_one_height() -> None:
    encoded = picture(np.zeros((252, 336, 3), np.uint8), np.zeros((84, 84), np.uint8))
    assert Image.open(io.BytesIO(encoded)).size == (336 + GAP + 252, 252)


def test_a_disk_that_takes_nothing_does_not_stop_training(
    env: DrivingEnv, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "run-000007").write_text("in the way")
    env.reset(seed=1)
    drive(env, Snapshots(tmp_path / "run-000007", env, clock), range(1, 3))


def test_a_disk_that_fails_half_way_leaves_the_last_snapshot_whole(
    env: DrivingEnv, snapshots: Snapshots, tmp_path: Path, clock: Clock
) -> None:
    drive(env, snapshots, range(1, 2))
    before, blocked = read_frame(tmp_path, RUN), tmp_path / "run-000007" / f".{FRAME}"
    blocked.symlink_to("/dev/full")
    clock.now += INTERVAL
    drive(env, snapshots, range(2, 3))
    assert (read_frame(tmp_path, RUN), seen(tmp_path).step) == (before, 1)
    clock.now += INTERVAL
    drive(env, snapshots, range(3, 4))
    assert seen(tmp_path).step == 3


def test_an_environment_without_road_or_camera_leaves_nothing(tmp_path: Path) -> None:
    env = gymnasium.make("Pendulum-v1")
    Snapshots(tmp_path / "run-000007", env).decision(1, 0, {}, {})
    assert not list(tmp_path.iterdir())
