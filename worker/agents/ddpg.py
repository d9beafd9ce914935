"""DDPG (Lillicrap et al. 2016, arXiv 1509.02971): TD3 with its three tricks off."""

from gymnasium import spaces

from backend.runs.config import RunConfig
from backend.runs.contradictions import DDPG_TRICKS
from worker.agents.td3 import TD3


class DDPG(TD3):
    """One critic, an actor update each time, no noise on the target action."""

    def __init__(
        self,
        config: RunConfig,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        lag: int | None = None,
    ) -> None:
        plain = config.model_copy(update=DDPG_TRICKS)
        super().__init__(plain, observation_space, action_space, lag)
