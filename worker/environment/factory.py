"""Builds the environment a run's configuration names."""

import gymnasium

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from worker.environment.carla_env import DrivingEnv
from worker.environment.connection import DEFAULT_TIMEOUT, SimulatorAddress
from worker.environment.gymnasium_env import GymnasiumEnv
from worker.environment.observation import Action, Observation, ScaledVector


def make_environment(
    config: RunConfig, address: SimulatorAddress | None, timeout: float = DEFAULT_TIMEOUT
) -> gymnasium.Env[Observation, Action]:
    """The run's environment; `env.unwrapped` is a `DrivingEnv` when it is CARLA's.

    Raises:
        InvalidConfig: something the configuration names does not exist.
        SimulatorLost: no simulator answers at `address`.
    """
    if not config.is_carla:
        return GymnasiumEnv(config.gymnasium_id)
    if address is None:
        raise InvalidConfig({"environment": "carla needs a simulator and none was leased"})
    return ScaledVector(DrivingEnv(config, address, timeout))
