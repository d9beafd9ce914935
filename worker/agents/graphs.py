"""CUDA graphs: the kernels of a step recorded once, then launched together.

On a GPU an update of NatureCNNs is some four hundred kernels; launching them one by one takes longer
than running them.
"""

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import torch

from worker.replay.batch import Batch

# cuDNN and cuBLAS choose their kernels and take their memory in the first calls, which cannot be recorded.
ORDINARY_CALLS = 3

Result = TypeVar("Result")
Step = Callable[[Batch], Result]
log = logging.getLogger(__name__)


class Graph(Protocol):
    """A recorded step that can be carried out again."""

    def replay(self) -> None: ...


class Recorded(Generic[Result]):
    """`step(batch)` as a CUDA graph, from its fourth call on; it draws from `generator` alone.

    A graph reads and writes the memory it was recorded with, so the batch must be the same object at every
    call, filled anew; another object begins anew. What the step returned while it was recorded is returned by
    each replay, its tensors holding the replay's values. A step that cannot be recorded goes on as it was.
    """

    def __init__(self, step: Step[Result], generator: torch.Generator) -> None:
        self._step = step
        self._generator = generator
        self._batch: Batch | None = None
        self._ordinary = 0
        self._graph: tuple[Graph, Result] | None = None

    def __call__(self, batch: Batch) -> Result:
        if batch is not self._batch:
            self._batch, self._graph, self._ordinary = batch, None, ORDINARY_CALLS
        if self._graph is None and self._ordinary == 0:
            self._graph = self._record(batch)
        if self._graph is None:
            self._ordinary -= 1
            return self._step(batch)
        graph, result = self._graph
        graph.replay()
        return result

    def _record(self, batch: Batch) -> tuple[Graph, Result] | None:
        try:
            return self._capture(batch)
        except RuntimeError as error:
            log.warning("updates are not recorded as CUDA graphs and go on slower: %s", error)
            return None

    def _capture(self, batch: Batch) -> tuple[Graph, Result]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # Other threads write checkpoints meanwhile: what they ask of the GPU is no part of this.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = self._step(batch)
        return graph, result


def recorded(step: Step[Result], generator: torch.Generator) -> Step[Result]:
    """The step as a CUDA graph where its generator is a GPU's; on a CPU the step itself."""
    return Recorded(step, generator) if generator.device.type == "cuda" else step
