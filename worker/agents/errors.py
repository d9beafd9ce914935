"""What an agent refuses to go on with."""

from collections.abc import Mapping

import numpy as np

from backend.errors import PitwallError


class NonFinite(PitwallError):
    """A loss or gradient is NaN or infinite; the weights are as they were before that update.

    `evidence` holds what is needed to reproduce it: norms, losses, replay indices and the batch.
    """

    title = "Training became non-finite"

    def __init__(self, network: str, update: int, evidence: Mapping[str, np.ndarray]) -> None:
        super().__init__(
            f"the {network}'s loss or gradient is not finite at update {update}: "
            "look at the rewards and observations of the saved batch, then lower the learning rate "
            "or roll back"
        )
        self.network = network
        self.update = update
        self.evidence = dict(evidence)
