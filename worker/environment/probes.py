"""Reward probes: before a run trains for hours, check that its reward prefers what people mean by driving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from worker.baselines.pid_pursuit import PidPursuit
from worker.environment.carla_env import DrivingEnv
from worker.environment.connection import TICK_SECONDS, SimulatorAddress
from worker.environment.observation import VECTOR_SIZE, Observation
from worker.environment.reward import COMPONENTS
from worker.environment.starts import Start
from worker.environment.vehicle import Vehicle
from worker.stages import Tell, untold

Driver = Callable[[Observation], NDArray[np.float32]]
Beat = Callable[[], None]

PROBING = "trying the reward on scripted drives"
PROBE_TICKS = 200
START, START_SPEED = 20.0, 6.0
CRAWL_SPEED = 1.5
# Bumper to bumper metres to the parked car of the collision probe. Full braking from 6 m/s takes 2.25 m:
# the standing drive would stop short of it, and has covered about the same ground.
OBSTACLE_GAP = 4.0
LARGEST_SHARE = 70.0
WEIGHTS = tuple(f"reward_{name}" for name in COMPONENTS)
UNSCALED = np.ones(VECTOR_SIZE, dtype=np.float32)

# Each pair: the first must earn more than the second. Standing and leaving the road are not ordered:
# a car that leaves at once was still driving for a moment.
ORDER = (
    ("good", "crawl"),
    ("crawl", "stand"),
    ("crawl", "leave"),
    ("stand", "collide"),
    ("leave", "collide"),
)


@dataclass(frozen=True)
class ProbeReport:
    """Returns of ten scripted seconds each from the same rolling start, and what is wrong with them.

    Attributes:
        returns: by drive: good, crawl, stand, leave, collide.
        shares: per cent of each component in the good drive's absolute reward.
        problems: empty when the reward is sound.
    """

    returns: Mapping[str, float]
    shares: Mapping[str, float]
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


def judge(returns: Mapping[str, float], shares: Mapping[str, float]) -> ProbeReport:
    """Checks the order good > crawl > {stand, leave} > collide, and that no component is over 70 %."""
    problems = [
        f"'{better}' earns {returns[better]:.1f}, not more than '{worse}' with {returns[worse]:.1f}"
        for better, worse in ORDER
        if not returns[better] > returns[worse]
    ]
    problems += [
        f"{name} is {share:.0f} % of the good drive's reward, more than {LARGEST_SHARE:.0f} %"
        for name, share in shares.items()
        if share > LARGEST_SHARE
    ]
    return ProbeReport(dict(returns), dict(shares), tuple(problems))


def probe_rewards(config: RunConfig, address: SimulatorAddress, tell: Tell = untold) -> ProbeReport:
    """Drives the probes on the run's first route, alone on the road; a second or two.

    Every drive rolls at 6 m/s from the same place; ground behind that place is never paid.

    Raises:
        InvalidConfig: the reward prefers the wrong drive; with the numbers.
        SimulatorLost: the simulator does not answer.
    """
    alone = config.model_copy(
        update={
            "traffic": False,
            "actor_input": "vector",
            "routes": config.routes[:1],
            "held_out_routes": [],
            "max_episode_ticks": PROBE_TICKS,
        }
    )
    env = DrivingEnv(alone, address)
    try:
        report = _probe(env, tell)
    finally:
        env.close()
    if not report.sound:
        weights = ", ".join(f"{name}={getattr(config, name):g}" for name in WEIGHTS)
        raise InvalidConfig(
            {
                "reward": f"fails its probes: {'; '.join(report.problems)}. Change its weights ({weights})"
            }
        )
    return report


def _probe(env: DrivingEnv, tell: Tell) -> ProbeReport:
    config = env.config
    seconds = config.ticks_per_decision * TICK_SECONDS
    speed = 0.96 * config.reward_target_speed

    def pursue(target: float) -> Driver:
        return PidPursuit(target, decision_seconds=seconds, scale=UNSCALED)

    drives: dict[str, Callable[[Beat], float]] = {
        "crawl": lambda beat: _drive(env, pursue(CRAWL_SPEED), beat)["return"],
        "stand": lambda beat: _drive(env, _held(0.0, -1.0), beat)["return"],
        "leave": lambda beat: _drive(env, _held(0.5, 0.3), beat)["return"],
        "collide": lambda beat: _collide(env, pursue(START_SPEED), beat),
    }
    every = len(drives) + 1
    good = _drive(env, pursue(speed), partial(tell, PROBING, 1, every))
    returns = {"good": good["return"]}
    for number, (name, drive) in enumerate(drives.items(), 2):
        returns[name] = drive(partial(tell, PROBING, number, every))
    shares = {
        name.removesuffix("_percent"): value
        for name, value in good.items()
        if name.endswith("_percent") and name != "route_percent"
    }
    return judge(returns, shares)


def _drive(env: DrivingEnv, driver: Driver, beat: Beat) -> dict[str, float]:
    observation = _rolling(env)
    while True:
        beat()
        observation, _, terminated, truncated, info = env.step(driver(observation))
        if terminated or truncated:
            summary: dict[str, float] = info["episode"]
            return summary


def _rolling(env: DrivingEnv) -> Observation:
    start = Start(distance=START, speed=START_SPEED)
    return env.reset(seed=0, options={"start": start})[0]


def _held(steer: float, pedal: float) -> Driver:
    action = np.array([steer, pedal], dtype=np.float32)
    return lambda observation: action


def _collide(env: DrivingEnv, driver: Driver, beat: Beat) -> float:
    """The return of driving into a parked car; it must be hit, or the probe would prove nothing."""
    _rolling(env)  # away from where the last probe left the car: there may be no room to park
    distance = START + OBSTACLE_GAP + 2 * env.ego.half_length
    obstacle = Vehicle(env.connection.world, env.routes[0].pose(distance), role="obstacle")
    try:
        summary = _drive(env, driver, beat)
    finally:
        obstacle.destroy()
    if not summary["collisions"]:
        raise RuntimeError(
            f"simulator {env.address} reported no collision with a parked car: run `pitwall doctor`"
        )
    return summary["return"]
