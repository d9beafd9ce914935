"""The driving task, on a simulator reached through the `carla` client alone."""

from worker.environment.connection import SimulatorAddress, SimulatorLost
from worker.environment.factory import make_environment

__all__ = ["SimulatorAddress", "SimulatorLost", "make_environment"]
