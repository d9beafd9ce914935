"""CUDA graphs without a GPU: operations of a step noted once, then carried out again on the same memory.

What a graph forbids is forbidden here too: reading a value back, and work that depends on one. Kernels of a GPU
are another matter; `test_graphs.py` has the tests that need one.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.agents.samples import agent
from worker.agents import TD3
from worker.agents.graphs import Graph, Recorded, Result, Step
from worker.replay import Batch

# These answer with a number of the machine's or a shape that depends on one, for which a device must be waited
# for; and a constant of the machine's must be sent there.
aten = torch.ops.aten
WAITS = (
    aten._local_scalar_dense, aten.equal, aten.allclose, aten.nonzero, aten.masked_select, aten._unique2,
    aten.repeat_interleave, aten.lift_fresh,
)  # fmt: skip
INDEXED = (aten.index, aten.index_put, aten.index_put_)
# What is on a CPU already these hand out without an operation.
HANDED_OUT = ("tolist", "numpy", "cpu")
Operation = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]


class Notes(TorchDispatchMode):
    """Every operation with its operands and where its results lie."""

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[Operation] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        by_mask = func.overloadpacket in INDEXED and any(
            index is not None and index.dtype is torch.bool for index in args[1]
        )
        if by_mask or func.overloadpacket in WAITS:
            raise RuntimeError(f"{func} waits for the device while its work is recorded")
        found = func(*args, **(kwargs or {}))
        self._operations.append((func, args, kwargs or {}, found))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for operation, args, kwargs, results in self._operations:
            again = operation(*args, **kwargs)
            for old, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Replayed(Recorded[Result]):
    """Recording carries the step out, which a graph's does not, so `restored` sets everything back."""

    def __init__(
        self,
        step: Step[Result],
        generator: torch.Generator,
        restored: Callable[[], Callable[[], None]],
    ) -> None:
        super().__init__(step, generator)
        self._restored = restored

    def _capture(self, batch: Batch) -> tuple[Graph, Result]:
        set_back, notes = self._restored(), Notes()
        with ExitStack() as refused, notes:
            for name in HANDED_OUT:
                refused.enter_context(patch.object(torch.Tensor, name, _refuse))
            result = self._step(batch)
        set_back()
        return notes, result


def _refuse(*_: Any) -> None:
    raise RuntimeError("numbers are read back while work is recorded")


def in_one_memory(samples: Iterable[Batch]) -> Iterator[Batch]:
    """The same object filled anew for each, as a learner on a GPU does it."""
    place: Batch | None = None
    for sample in samples:
        if place is None:
            place = copy.deepcopy(sample)
        else:
            place.fill(sample)
        yield place


def replayed(**overrides: Any) -> TD3:
    """A learner on this CPU whose updates are recorded; give it batches `in_one_memory`."""
    learner = agent(**overrides)

    def restored() -> Callable[[], None]:
        state, broken = learner.state_dict(), learner._broken.clone()

        def set_back() -> None:
            for name, network in learner._networks().items():
                network.load_state_dict(state[name])
            learner.actor_optimiser.load_state_dict(state["actor_optimiser"])
            learner.critic_optimiser.load_state_dict(state["critic_optimiser"])
            learner._noise.set_state(state["noise"])
            learner._broken.copy_(broken)

        return set_back

    half = partial(learner._step, actor_moves=False)
    learner._whole_step = Replayed(learner._step, learner._noise, restored)
    learner._half_step = Replayed(half, learner._noise, restored)
    return learner
