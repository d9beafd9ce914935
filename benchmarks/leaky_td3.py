"""The founding project's actor: its loss lets the encoder paint features the critic likes."""

import torch

from worker.agents import TD3
from worker.agents.diagnostics import ActorTrace
from worker.replay.batch import Observations


class LeakyTD3(TD3):
    """The actor's loss is -Q1(its own encoder's features, action), these features not held fixed."""

    def _update_actor(
        self, observations: Observations, _features: torch.Tensor | None, _state: torch.Tensor
    ) -> ActorTrace:
        own = self.actor.encode(observations)
        return self._climb(observations, own, self.critic.join(own, observations))
