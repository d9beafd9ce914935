"""DDPG (Lillicrap et al. 2016, arXiv 1509.02971): TD3 with its three tricks off."""

from typing import Any

from gymnasium import spaces

from backend.runs.config import RunConfig
from worker.agents.td3 import TD3

TRICKS_OFF: dict[str, Any] = {"twin_critics": False, "policy_delay": 1, "target_policy_noise": 0.0}


class DDPG(TD3):
    """One critic, an actor update each time, no noise on the target action."""

    def __init__(
        self,
        config: RunConfig,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        check_every_update: bool | None = None,
    ) -> None:
        plain = config.model_copy(update=TRICKS_OFF)
        super().__init__(plain, observation_space, action_space, check_every_update)
