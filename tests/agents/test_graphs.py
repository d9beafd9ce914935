"""On a GPU updates are CUDA graphs, and everything else is as on a CPU."""

import dataclasses
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from tests.agents.replayed import Replayed, in_one_memory, replayed
from tests.agents.samples import agent, batch, config, space
from worker.agents import TD3, NonFiniteUpdate
from worker.agents.graphs import ORDINARY_CALLS, Recorded, recorded
from worker.agents.trail import Footprint, Trail
from worker.kept import KeptMemory
from worker.preflight import learner_memory
from worker.replay import Batch

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
GPU = torch.device("cuda")
VISION = {"actor_input": "image", "encoder": "nature", "critic_input": "same"}
TASKS: list[dict[str, Any]] = [
    {},
    {"policy_delay": 1},
    {"algorithm": "ddpg"},
    VISION,
    {**VISION, "critic_input": "vector", "encoder": "small", "head_layer_norm": True},
    {**VISION, "shared_encoder": True, "policy_delay": 3},
]


def learner(**overrides: Any) -> TD3:
    return agent(device="cuda", **overrides)


def launched(**overrides: Any) -> TD3:
    """The same learner, its kernels launched one by one."""
    plain = learner(**overrides)
    plain._whole_step, plain._half_step = plain._step, partial(plain._step, actor_moves=False)
    return plain


def everything(of: TD3) -> torch.Tensor:
    return torch.cat([vector.values for vector in of._vectors().values()]).cpu()


def samples(images: bool, count: int) -> list[Batch]:
    return [batch(images=images, seed=number) for number in range(count)]


def recordings(of: TD3) -> list[Any]:
    steps = [step for step in (of._whole_step, of._half_step) if isinstance(step, Recorded)]
    return [step._graph for step in steps if step._graph is not None]


def test_on_a_cpu_a_step_is_itself() -> None:
    def step(sample: Batch) -> int:
        return len(sample)

    assert recorded(step, torch.Generator()) is step


def test_a_trail_tells_the_first_broken_update_as_many_updates_later_as_it_lags() -> None:
    broken = torch.zeros(())
    trail = Trail(broken, lag=2)
    told = []
    for number in range(1, 6):
        if number == 3:
            broken.fill_(1)
        told.append(trail.leave(Footprint(number, batch(), torch.zeros(1))))
    assert [found and found.update for found in told] == [None, None, None, None, 3]


def test_a_trail_waited_for_tells_at_once_and_forgets_when_cleared() -> None:
    broken = torch.zeros(())
    trail = Trail(broken, lag=2)
    assert trail.leave(Footprint(1, batch(), torch.zeros(1))) is None
    broken.fill_(1)
    assert trail.leave(Footprint(2, batch(), torch.zeros(1))) is None
    found = trail.wait()
    assert found is not None
    assert found.update == 2
    trail.clear()
    assert trail.wait() is None


def test_kept_memory_copies_any_tensor_into_the_same_place() -> None:
    memory = KeptMemory()
    for value in (torch.arange(6.0).view(2, 3).T, torch.tensor(3.5), torch.tensor([True, False])):
        copy = memory.tensor(str(value.dtype), value)
        assert torch.equal(copy, value)
        assert copy.is_contiguous()
        again = memory.tensor(str(value.dtype), ~value if value.dtype is torch.bool else value + 1)
        assert again.data_ptr() == copy.data_ptr()
        assert not torch.equal(copy, value)


def test_a_state_of_a_gpu_goes_on_on_a_cpu_with_noise_drawn_anew() -> None:
    theirs, ours = agent(), agent()
    for sample in samples(False, 4):
        theirs.update(sample)
    of_a_gpu = {**theirs.state_dict(), "noise": torch.zeros(16, dtype=torch.uint8)}
    ours.load_state_dict(of_a_gpu)
    assert torch.equal(everything(ours), everything(theirs))
    first = ours._noise.get_state()
    ours.load_state_dict(of_a_gpu)
    assert torch.equal(ours._noise.get_state(), first)
    ours.update(batch())


def test_what_a_gpu_must_hold_grows_with_batch_and_widths_and_images() -> None:
    def need(**overrides: Any) -> int:
        chosen = config(**overrides)
        return learner_memory(chosen, space(chosen.uses_images), 2)

    plain = need()
    assert need(batch_size=4096, learning_starts=4096) > plain
    assert need(hidden_sizes=[512, 512]) > plain
    assert need(**VISION) > need(**{**VISION, "critic_input": "vector"}) > plain


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_updates_replayed_from_notes_learn_bit_for_bit_what_others_learn(
    task: dict[str, Any],
) -> None:
    """Neither the order of an update's parts nor anything in them depends on what a graph cannot see."""
    ours, plain = replayed(**task), agent(**task)
    drawn = samples("actor_input" in task, 4 * (ORDINARY_CALLS + 1))
    for place, sample in zip(in_one_memory(drawn), drawn, strict=True):
        ours.update(place)
        plain.update(sample)
        assert ours.diagnostics() == plain.diagnostics()
        assert torch.equal(everything(ours), everything(plain))
    assert torch.equal(ours._noise.get_state(), plain._noise.get_state())
    assert recordings(ours)


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_critics_that_break_while_replayed_from_notes_stay_as_they_were(delay: int) -> None:
    ours = replayed(policy_delay=delay)
    places = in_one_memory(samples(False, 20))
    for _ in range(19):
        ours.update(next(places))
    critics, all_weights = ours.critic_optimiser.vector.values.clone(), everything(ours)
    place = next(places)
    place.rewards[3] = torch.nan
    with pytest.raises(NonFiniteUpdate, match="not finite at update 20:") as it:
        ours.update(place)
    assert it.value.network == "critic"
    assert torch.equal(ours.critic_optimiser.vector.values, critics)
    if delay != 1:  # else the actor has had its turn, that of update 19
        assert torch.equal(everything(ours), all_weights)


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: 1.0 if x.sum() > 0 else 0.0,
        lambda x: x.tolist()[0],
        lambda x: x.cpu().numpy()[0],
        lambda x: np.asarray(x)[0],
        lambda x: len(x[x > 0]),
        lambda x: len(x.nonzero()),
        lambda x: len(x.unique()),
        lambda x: float(torch.allclose(x, x)),
        lambda x: x * torch.tensor([2.0]),
        lambda x: x.clone().masked_select(x > 0),
        lambda x: x.clone().__setitem__(x > 0, 0.0),
    ],
)
def test_a_step_that_waits_for_the_device_is_not_recorded(
    waits: Callable[[torch.Tensor], Any], caplog: pytest.LogCaptureFixture
) -> None:
    def waiting(sample: Batch) -> Any:
        return waits(sample.rewards)

    step = Replayed(waiting, torch.Generator(), restored=lambda: lambda: None)
    drawn = samples(False, ORDINARY_CALLS + 3)
    with caplog.at_level(logging.WARNING):
        found = [step(place) for place in in_one_memory(drawn)]
    assert step._graph is None
    assert "go on slower" in caplog.text
    for each, sample in zip(found, drawn, strict=True):
        np.testing.assert_array_equal(each, waiting(sample))


@gpu
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_recorded_updates_learn_what_launched_ones_learn(task: dict[str, Any]) -> None:
    ours, plain = learner(**task), launched(**task)
    for sample in samples("actor_input" in task, 4 * (ORDINARY_CALLS + 1)):
        ours.update(sample)
        plain.update(sample)
    torch.testing.assert_close(everything(ours), everything(plain), rtol=1e-3, atol=1e-5)
    assert torch.equal(ours._noise.get_state(), plain._noise.get_state())
    found, expected = ours.diagnostics(), plain.diagnostics()
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=0.02, abs=1e-3), name
    assert recordings(ours)


@gpu
def test_a_batch_of_another_size_is_recorded_anew() -> None:
    ours, plain = learner(), launched()
    for size in (8, 5, 8):
        for number in range(12):
            ours.update(batch(size=size, seed=number))
            plain.update(batch(size=size, seed=number))
    torch.testing.assert_close(everything(ours), everything(plain), rtol=1e-3, atol=1e-5)


@gpu
@pytest.mark.parametrize("before", [1, 20])
def test_a_broken_update_on_a_gpu_changes_nothing_and_is_told_with_its_own_batch(
    before: int,
) -> None:
    ours = learner(policy_delay=3)  # not the actor's turn at 2 nor at 21
    for sample in samples(False, before):
        ours.update(sample)
    sound = everything(ours)
    rewards = batch().rewards
    rewards[3] = torch.nan
    bad = dataclasses.replace(batch(), rewards=rewards, indices=np.arange(100, 108))
    ours.update(bad)
    ours.update(batch(seed=1))
    with pytest.raises(NonFiniteUpdate, match=f"not finite at update {before + 1}:") as it:
        ours.update(batch(seed=2))
    assert torch.equal(everything(ours), sound)
    assert it.value.network == "critic"
    assert it.value.evidence["indices"][3] == 103
    assert np.isnan(it.value.evidence["critic_loss"])


@gpu
def test_a_gpus_state_comes_back_and_goes_on_as_it_would_have() -> None:
    ours, later = learner(**VISION), learner(**VISION)
    for sample in samples(True, 10):
        ours.update(sample)
    memory = KeptMemory()
    later.load_state_dict(ours.state_dict(memory.tensor))
    assert torch.equal(everything(later), everything(ours))
    for sample in samples(True, 10):
        ours.update(sample)
        later.update(sample)
    torch.testing.assert_close(everything(later), everything(ours), rtol=1e-3, atol=1e-5)


@gpu
def test_a_checkpoint_of_a_gpu_acts_on_a_cpu() -> None:
    ours, here = learner(**VISION), agent(**VISION)
    for sample in samples(True, 10):
        ours.update(sample)
    state = ours.state_dict(KeptMemory().tensor)
    here.actor.load_state_dict(state["actor"])
    single = {name: v[0].numpy() for name, v in batch(size=1, images=True).observations.items()}
    np.testing.assert_allclose(here.act(single), ours.act(single), atol=2e-3)


@gpu
def test_a_step_that_cannot_be_recorded_goes_on_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def waits(sample: Batch) -> float:
        return sample.rewards.sum().item()

    step = recorded(waits, torch.Generator(GPU))
    sample = batch().to(GPU)
    with caplog.at_level(logging.WARNING):
        found = [step(sample) for _ in range(ORDINARY_CALLS + 3)]
    assert found == pytest.approx([batch().rewards.sum().item()] * len(found), rel=1e-5)
    assert "go on slower" in caplog.text
    assert torch.ones(2, device=GPU).sum().item() == 2
