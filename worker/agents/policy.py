"""An actor as something to call with an observation."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backend.runs.config import RunConfig
from worker.agents.encoders import prepare
from worker.agents.networks import Actor
from worker.replay.batch import IMAGE


class Policy:
    """Deterministic: observation to action [A] in [-1, 1].

    Attributes:
        names: the parts of the observation it reads.
    """

    def __init__(self, config: RunConfig, actor: Actor, device: torch.device) -> None:
        self.config = config
        self.actor = actor
        self.names = actor.names
        self._device = device

    def __call__(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        with _one_thread(), torch.inference_mode():
            batch = {
                name: _as_trained(name, observation[name]).unsqueeze(0).to(self._device)
                for name in self.names
            }
            action: NDArray[np.float32] = self.actor(prepare(self.config, batch))[0].cpu().numpy()
            return action


def _as_trained(name: str, value: NDArray[Any]) -> torch.Tensor:
    """NumPy makes float64 of what people write by hand."""
    return torch.as_tensor(value) if name == IMAGE else torch.as_tensor(value, dtype=torch.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """At batch 1 a second thread only adds waiting, tens of milliseconds when cores are busy."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
