"""A batch on its way to the device: every number arrives once, and the images still share their frames."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from worker.replay import Batch, ReplayBuffer

SPACE = spaces.Dict(
    {
        "vector": spaces.Box(-1, 1, (3,), np.float32),
        "image": spaces.Box(0, 255, (2, 8, 8), np.uint8),
    }
)


def sampled(seed: int, images: bool = True) -> Batch:
    space = SPACE if images else spaces.Dict({"vector": SPACE["vector"]})
    buffer = ReplayBuffer(50, space, 2, seed)
    space.seed(seed)
    at = space.sample()
    for step in range(20):
        then = space.sample()
        buffer.add(at, np.full(2, step, np.float32), float(step), then, step % 7 == 6, False)
        at = then
    return buffer.sample(4)


@pytest.mark.parametrize("images", [True, False])
def test_a_batch_filled_with_another_holds_its_numbers_in_its_own_memory(images: bool) -> None:
    batch, other = sampled(0, images), sampled(1, images)
    places = [value.data_ptr() for value in batch._memory().values()]
    batch.fill(other)
    found, expected = batch.arrays(), other.arrays()
    for name in expected.keys() - {"indices"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert [value.data_ptr() for value in batch._memory().values()] == places


def test_both_images_move_as_the_frames_they_share() -> None:
    batch = sampled(0)
    assert set(batch._memory()) == {
        "actions", "rewards", "terminations", "frames", "observations.vector", "next_observations.vector"
    }  # fmt: skip
    moved = batch.to(torch.device("meta"))
    assert moved.frames is not None
    assert moved.frames.shape == (4, 3, 8, 8)
    assert moved.observations["image"].shape == (4, 2, 8, 8)
    assert moved.observations["image"]._base is moved.next_observations["image"]._base
    assert moved.rewards.device.type == "meta"


def test_a_batch_that_is_there_already_is_not_copied() -> None:
    batch = sampled(0)
    assert batch.to(torch.device("cpu")) is batch
