"""What an agent refuses to go on with."""

from collections.abc import Mapping

import numpy as np

from backend.errors import PitwallError


class NonFinite(PitwallError):
    """Something is NaN or infinite; nothing was learnt from it.

    `evidence` holds arrays to reproduce it with; `metric` is the catalogue name of what is not finite.
    """

    title = "Training became non-finite"

    def __init__(self, message: str, metric: str, evidence: Mapping[str, np.ndarray]) -> None:
        super().__init__(message)
        self.metric = metric
        self.evidence = dict(evidence)


class NonFiniteUpdate(NonFinite):
    """A loss or gradient of an update; that network's weights and moments are as they were before it.

    Where the critics are told, an actor and targets whose turn it was have had it: that of the update before.
    The evidence is its norms, losses, replay indices and batch.
    """

    def __init__(self, network: str, update: int, evidence: Mapping[str, np.ndarray]) -> None:
        super().__init__(
            f"the {network}'s loss or gradient is not finite at update {update}: "
            "look at the rewards and observations of the saved batch, then lower the learning rate "
            "or roll back",
            f"learner/{network}_loss",
            evidence,
        )
        self.network = network


class NonFiniteTransition(NonFinite):
    """A reward or observation as the environment gave it, or beyond float32; the buffer is without it."""

    def __init__(self, where: str, evidence: Mapping[str, np.ndarray]) -> None:
        super().__init__(
            f"the environment gave a reward or an observation that is not finite at {where}: "
            "it was not stored; look at the saved transition and mend the environment",
            "episode/return",
            evidence,
        )


class NonFiniteAction(NonFinite):
    """The policy's own answer to a finite observation; the environment was not given it."""

    def __init__(self, where: str, evidence: Mapping[str, np.ndarray]) -> None:
        super().__init__(
            f"the policy gave an action that is not finite at {where}: its weights or the saved observation "
            "are too large; scale the observation, or lower the learning rate or roll back",
            "actions/policy_steering_mean",
            evidence,
        )
