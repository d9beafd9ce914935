"""A learner that is loaded goes on as the one that was saved."""

import dataclasses
from typing import Any

import pytest
import torch

from tests.agents.samples import agent, batch
from worker import trees
from worker.agents import TD3, NonFinite

VISION = {"actor_input": "image", "encoder": "small"}
TASKS: list[dict[str, Any]] = [
    {"policy_delay": 3},
    {"algorithm": "ddpg"},
    VISION,
    {**VISION, "shared_encoder": True, "policy_delay": 3},
]


def learn(learner: TD3, task: dict[str, Any], updates: range) -> None:
    for number in updates:
        learner.update(batch(images="encoder" in task, seed=number))


def assert_equal(ours: TD3, theirs: TD3) -> None:
    plain, tensors = trees.split(ours.state_dict())
    expected, others = trees.split(theirs.state_dict())
    assert plain == expected
    assert tensors.keys() == others.keys()
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []


@pytest.mark.parametrize("saved_at", [3, 4, 5])
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_updates_saved_loaded_and_gone_on_with_are_those_without_a_stop(
    task: dict[str, Any], saved_at: int
) -> None:
    whole, first, later = agent(**task), agent(**task), agent(**task, seed=1)
    learn(whole, task, range(2 * saved_at))
    learn(first, task, range(saved_at))
    later.load_state_dict(first.state_dict())
    assert_equal(later, first)
    learn(later, task, range(saved_at, 2 * saved_at))
    assert_equal(later, whole)
    told, expected = later.diagnostics(), whole.diagnostics()
    assert told.items() <= expected.items()


def test_a_learner_that_broke_goes_on_from_what_it_is_loaded_with() -> None:
    sound, broke = agent(), agent()
    learn(sound, {}, range(4))
    saved = sound.state_dict()
    with pytest.raises(NonFinite):
        broke.update(dataclasses.replace(batch(), rewards=torch.full((8,), torch.nan)))
    broke.load_state_dict(saved)
    for learner in (sound, broke):
        learn(learner, {}, range(4, 9))
    assert_equal(broke, sound)
    assert broke.diagnostics() == sound.diagnostics()
