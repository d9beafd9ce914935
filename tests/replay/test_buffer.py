"""The ring gives back exactly what a store that keeps everything would."""

from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay.naive import NaiveReplay, StackedWorld
from worker.replay import ReplayBuffer, ReplayTooLarge, replay_size

# an episode: its length and whether it ends in a terminal state (or is truncated)
Episodes = list[tuple[int, bool]]
EPISODES = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=12)


def space(stack: int, size: int = 4) -> spaces.Dict:
    found: dict[str, spaces.Space[np.ndarray]] = {
        "vector": spaces.Box(-np.inf, np.inf, (2,), np.float32)
    }
    if stack:
        found["image"] = spaces.Box(0, 255, (stack, size, size), np.uint8)
    return spaces.Dict(found)


def fill(
    stores: list[ReplayBuffer | NaiveReplay], episodes: Episodes, world: StackedWorld, seed: int = 0
) -> None:
    draw = np.random.default_rng(seed)
    for length, terminal in episodes:
        observation = world.reset()
        for step in range(length):
            action = draw.uniform(-1, 1, 2).astype(np.float32)
            following = world.step()
            last = step == length - 1
            reward = float(draw.normal())
            for store in stores:
                store.add(
                    observation, action, reward, following, last and terminal, last and not terminal
                )
            observation = following


def held(buffer: ReplayBuffer) -> list[dict[str, torch.Tensor]]:
    """Every transition in the buffer, oldest first, read the way `sample` reads."""
    starts = buffer._queue.starts(np.arange(len(buffer)))
    batch = buffer.gather(starts)
    return [
        {
            **{f"s.{name}": value[row] for name, value in batch.observations.items()},
            **{f"n.{name}": value[row] for name, value in batch.next_observations.items()},
            "action": batch.actions[row],
            "reward": batch.rewards[row],
            "terminated": batch.terminations[row],
        }
        for row in range(len(batch))
    ]


def assert_equal(buffer: ReplayBuffer, naive: NaiveReplay) -> None:
    """The buffer holds the newest transitions of the naive store, in order."""
    found = held(buffer)
    newest = list(naive.transitions)[len(naive.transitions) - len(found) :]
    for transition, expected in zip(found, newest, strict=True):
        for name, value in expected.observation.items():
            assert torch.equal(transition[f"s.{name}"], torch.from_numpy(value))
        for name, value in expected.next_observation.items():
            assert torch.equal(transition[f"n.{name}"], torch.from_numpy(value))
        assert torch.equal(transition["action"], torch.from_numpy(expected.action))
        assert transition["reward"] == np.float32(expected.reward)
        assert transition["terminated"] == float(expected.terminated)


@settings(deadline=None, max_examples=150)
@given(EPISODES, st.integers(1, 80), st.integers(0, 4))
def test_whatever_was_added_comes_back_across_ends_truncations_and_wrap_around(
    episodes: Episodes, capacity: int, stack: int
) -> None:
    buffer, naive = ReplayBuffer(capacity, space(stack), 2), NaiveReplay(capacity)
    fill([buffer, naive], episodes, StackedWorld(stack))
    assert 1 <= len(buffer) <= capacity
    assert_equal(buffer, naive)


@settings(deadline=None, max_examples=60)
@given(EPISODES, st.integers(2, 60), st.integers(0, 4), st.integers(0, 12))
def test_a_restored_buffer_samples_and_goes_on_as_the_first(
    episodes: Episodes, capacity: int, stack: int, pause: int
) -> None:
    world = StackedWorld(stack)
    first = ReplayBuffer(capacity, space(stack), 2, seed=1, region_bytes=500)
    fill([first], episodes, world)
    first.sample(3)
    second = ReplayBuffer(capacity, space(stack), 2, seed=2, region_bytes=500)
    state = first.state()
    for view in state.regions:
        copied = {name: array.copy() for name, array in view.arrays.items()}
        second.load_region(view.region.name, copied)
    second.load_counters(state.counters)
    fill([first, second], episodes[:pause], world)
    assert len(first) == len(second)
    one, two = first.sample(16), second.sample(16)
    assert np.array_equal(one.indices, two.indices)
    for name, value in one.next_observations.items():
        assert torch.equal(value, two.next_observations[name])
    assert torch.equal(one.rewards, two.rewards)


def test_an_episode_under_way_goes_on_in_the_restored_buffer() -> None:
    world, stack = StackedWorld(3), 3
    first, second = (ReplayBuffer(20, space(stack), 2) for _ in range(2))
    naive = NaiveReplay(20)
    action = np.zeros(2, np.float32)
    observation = world.reset()
    for _ in range(5):
        following = world.step()
        for store in (first, naive):
            store.add(observation, action, 1.0, following, False, False)
        observation = following
    state = first.state()
    for view in state.regions:
        second.load_region(view.region.name, view.arrays)
    second.load_counters(state.counters)
    following = world.step()
    for store in (second, naive):
        store.add(observation, action, 2.0, following, False, True)
    assert_equal(second, naive)
    assert (
        second._queue.head == 7
    )  # five and one transitions of one episode, and its last observation


def test_a_region_still_being_written_to_disk_is_not_overwritten() -> None:
    buffer, world = ReplayBuffer(40, space(0), 2, region_bytes=300), StackedWorld(0)
    fill([buffer], [(30, True)], world)
    state = buffer.capture()
    before = [{name: array.copy() for name, array in view.arrays.items()} for view in state.regions]
    filler = Thread(target=fill, args=([buffer], [(30, True)] * 3, world))
    filler.start()
    filler.join(0.3)
    assert filler.is_alive()  # it came round to a held region
    for view, arrays in zip(state.regions, before, strict=True):
        assert all(np.array_equal(view.arrays[name], arrays[name]) for name in arrays)
        view.release()
    filler.join(10)
    assert not filler.is_alive()
    assert len(buffer) == 40


def test_an_observation_that_does_not_follow_begins_a_new_episode() -> None:
    world = StackedWorld(3)
    buffer, naive = ReplayBuffer(20, space(3), 2), NaiveReplay(20)
    action = np.zeros(2, np.float32)
    for _ in range(2):
        observation, following = world.reset(), world.step()
        for store in (buffer, naive):
            store.add(observation, action, 0.0, following, False, False)
    assert_equal(buffer, naive)


def test_sampling_is_uniform_over_what_is_held() -> None:
    buffer = ReplayBuffer(50, space(0), 2)
    fill([buffer], [(10, True)] * 12, StackedWorld(0))
    counts = np.bincount(np.concatenate([buffer.sample(1000).indices for _ in range(40)]))
    drawn = counts[counts > 0]
    assert len(drawn) == len(buffer)
    assert drawn.min() > 0.8 * drawn.mean()


def test_an_image_transition_of_the_driving_task_costs_at_most_7500_bytes() -> None:
    driving = spaces.Dict(
        {
            "vector": spaces.Box(-1, 1, (53,), np.float32),
            "command": spaces.Box(-1, 1, (2,), np.float32),
            "image": spaces.Box(0, 255, (4, 84, 84), np.uint8),
        }
    )
    buffer = ReplayBuffer(2000, driving, 2)
    draw = np.random.default_rng(0)
    for _ in range(15):
        stack = draw.integers(0, 255, (4, 84, 84), dtype=np.uint8)
        at = {"vector": draw.random(53), "command": np.zeros(2), "image": stack}
        for step in range(200):
            then = {**at, "vector": draw.random(53).astype(np.float32)}
            buffer.add(at, np.zeros(2, np.float32), 0.0, then, False, step == 199)
            at = then
    assert len(buffer) == 2000
    assert buffer.bytes / len(buffer) <= 7500


def test_a_disk_too_small_for_the_frames_is_refused_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(ReplayTooLarge, match=r"needs .* GB of disk.*lower buffer_size"):
        ReplayBuffer(10**9, space(4, 84), 2, folder=tmp_path)


@pytest.mark.parametrize("stack", [0, 4])
def test_what_a_buffer_needs_is_known_before_it_is_made(stack: int) -> None:
    needed = replay_size(500, space(stack), 2)
    buffer = ReplayBuffer(500, space(stack), 2)
    assert needed.memory + needed.disk == buffer.bytes
    assert (needed.disk > 0) == (stack > 0)


def test_the_frames_file_leaves_nothing_behind(tmp_path: Path) -> None:
    buffer = ReplayBuffer(10, space(2), 2, folder=tmp_path)
    fill([buffer], [(5, True)], StackedWorld(2))
    assert list(tmp_path.iterdir()) == []


def test_a_buffer_of_another_size_is_refused() -> None:
    small, large = (ReplayBuffer(size, space(0), 2) for size in (10, 1000))
    fill([small], [(3, True)], StackedWorld(0))
    with pytest.raises(ValueError, match="resume with the buffer_size it was saved with"):
        large.load_counters(small.state().counters)
