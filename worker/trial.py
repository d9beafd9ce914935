"""`pitwall evaluate`: one policy over fixed episodes, outside any run."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Env, spaces
from numpy.typing import NDArray

from backend.checkpoints.files import read_manifest
from backend.errors import PitwallError
from backend.runs.config import RunConfig
from backend.settings import Settings
from worker.addresses import parse_addresses
from worker.baselines.pid_pursuit import PidPursuit
from worker.environment.carla_env import DrivingEnv
from worker.environment.connection import SimulatorAddress, SimulatorLost
from worker.environment.factory import make_environment
from worker.evaluation import Evaluation, Policy, evaluate, random_policy
from worker.policies import policy_for
from worker.probe import NoAnswer, ask, free_port, misfit
from worker.seeding import Stream, episode_seed
from worker.simulators import starter

PID_PURSUIT, RANDOM = "pid-pursuit", "random"
GRAY = 128


def config_of_checkpoint(path: Path) -> RunConfig:
    """The configuration a checkpoint was trained with.

    Raises:
        CheckpointDamaged: no whole checkpoint lies there.
    """
    return RunConfig.model_validate(read_manifest(path)["config"])


def evaluate_policy(
    settings: Settings,
    policy: str,
    config: RunConfig,
    episodes: int,
    constant_image: bool = False,
) -> dict[str, Any]:
    """Drive `policy` (pid-pursuit, random, or a checkpoint's folder) and return what it reached.

    The episodes are those of the run's own evaluations, all of them, without screening. With
    `constant_image` every picture is replaced by one gray: who still drives well does not look.

    Raises:
        PitwallError: `constant_image` for a policy that is given no pictures; no server answers, or it
            stopped answering on the way.
    """
    try:
        return _evaluate(settings, policy, config, episodes, constant_image)
    except SimulatorLost as error:
        raise PitwallError(
            f"{error}; nothing was kept: see to the server and start again"
        ) from error


def _evaluate(
    settings: Settings, policy: str, config: RunConfig, episodes: int, constant_image: bool
) -> dict[str, Any]:
    with _simulator(settings, config) as address, closing(make_environment(config, address)) as env:
        seeds = [episode_seed(config.seed, Stream.EVALUATION, i) for i in range(episodes)]
        driver = policy_of(policy, config, env)
        if constant_image:
            driver = _blinded(driver, config)
        return document(policy, evaluate(env, driver, seeds))


@contextmanager
def _simulator(settings: Settings, config: RunConfig) -> Iterator[SimulatorAddress | None]:
    """The first server the settings name, or one of our own for as long as this lasts."""
    if not config.is_carla:
        yield None
    elif settings.carla:
        host, port = parse_addresses(settings.carla)[0]
        _require_server(host, port)
        yield SimulatorAddress(host, port, free_port())
    else:
        server = starter(settings)()
        try:
            yield SimulatorAddress(server.host, server.port, free_port())
        finally:
            server.kill()


def _require_server(host: str, port: int) -> None:
    try:
        problem = misfit(ask(host, port).version)
    except NoAnswer as error:
        problem = str(error)
    if problem:
        raise PitwallError(problem)


def policy_of(name: str, config: RunConfig, env: Env[Any, Any]) -> Policy:
    """pid-pursuit, random, or the policy of the checkpoint in a folder, for this environment."""
    observation_space, action_space = env.observation_space, env.action_space
    assert isinstance(observation_space, spaces.Dict)
    assert isinstance(action_space, spaces.Box)
    if name == RANDOM:
        return random_policy(action_space, config.seed)
    if name == PID_PURSUIT:
        if not config.is_carla:
            raise PitwallError(f"{PID_PURSUIT} drives cars: {config.environment} has none")
        assert isinstance(env.unwrapped, DrivingEnv)
        return PidPursuit.of(env.unwrapped)
    return policy_for(Path(name), observation_space)


def _blinded(policy: Policy, config: RunConfig) -> Policy:
    if not config.uses_images:
        raise PitwallError(f"constant-image: a policy on {config.actor_input} sees no picture")

    def act(observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        return policy({**observation, "image": np.full_like(observation["image"], GRAY)})

    return act


def document(policy: str, evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as `pitwall evaluate` prints it and as the page of checkpoints keeps it."""
    low, high = evaluation.success_interval
    return {
        "policy": policy,
        "episodes": len(evaluation.episodes),
        "success_rate": evaluation.success_rate,
        "success_interval": [low, high],
        "return_mean": evaluation.return_mean,
        "return_std": evaluation.return_std,
        "collisions_per_km": evaluation.collisions_per_km,
        "completion_seconds": evaluation.completion_seconds,
        "means": {
            name: evaluation.mean(name)
            for name in ("route_percent", "mean_speed", "lateral_error", "heading_error", "jerk")
        }
        | {"min_ttc": evaluation.mean("min_ttc")},
        "records": list(evaluation.episodes),
    }
