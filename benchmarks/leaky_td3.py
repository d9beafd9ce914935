"""The founding project's actor: its loss lets the encoder paint features the critic likes."""

import torch

from worker.agents import TD3
from worker.agents.diagnostics import ActorTrace
from worker.replay.batch import Observations


class LeakyTD3(TD3):
    """The actor's loss is -Q1(its own encoder's features, action), these features not held fixed."""

    def _update_actor(
        self, observations: Observations, features: torch.Tensor | None, state: torch.Tensor
    ) -> ActorTrace:
        features = self.actor.encode(observations)
        assert features is not None, "the leak is of images"
        actions = self.actor.act(features, observations)
        q = self.critic.value1(self.critic.join(features, observations), actions)
        loss = -q.mean()
        norms = self.actor_optimiser.step(loss)
        return ActorTrace(
            loss.detach(),
            q.detach(),
            actions.detach(),
            norms,
            features.detach(),
            self.actor.head.activations,
        )
