"""The driving task as a Gymnasium environment, on any server the `carla` 0.9.16 client can talk to."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, chain, pairwise
from time import perf_counter, sleep
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from backend.runs.config import RunConfig
from worker.environment.ahead import NOTHING_AHEAD, Ahead
from worker.environment.connection import (
    DEFAULT_TIMEOUT,
    TICK_SECONDS,
    Answering,
    Connection,
    SimulatorAddress,
    SimulatorLost,
)
from worker.environment.episode import Episode
from worker.environment.lookout import Lookout, OnLost
from worker.environment.observation import (
    Action,
    FrameStack,
    Observation,
    Resizer,
    command,
    gray,
    observation_space,
    vector,
    vehicle_ahead,
)
from worker.environment.planning import plan_routes
from worker.environment.reward import (
    COMPONENTS,
    WAITING_GAP,
    WAYPOINT_SPACING,
    Components,
    Reward,
    Tick,
    following_speed,
    stood,
)
from worker.environment.route import Route, Tracker
from worker.environment.sensors import Camera, CollisionSensor
from worker.environment.starts import (
    HELD_OUT,
    SECOND_TOWN,
    TRAINING,
    Start,
    draw_evaluation,
    draw_training,
)
from worker.environment.traffic import Traffic
from worker.environment.vehicle import Vehicle

# Braked ticks after a teleport: the wheels come back to straight, a real car settles on its springs.
SETTLE_TICKS = 10
CLOSING_SECONDS = 0.1


class DrivingEnv(gymnasium.Env[Observation, Action]):
    """One ego vehicle that follows a route; an episode is decided by its seed and its actions.

    Observation: `vector` (53,) float32 unscaled; with a camera also `image` (frame_stack, 84, 84)
    uint8, newest last, and `command` (2,) float32; with `vehicle_ahead` also `ahead` (2,) float32.
    Action: (2,) float32 in [-1, 1]: steer right; throttle when positive, else brake.
    Options of `reset`: `evaluation` (at rest at a route's start) with `route` (its number, modulo how
    many there are) and `routes` (`TRAINING`, or after a `travel` the others), or `start` (a `Start`).

    Attributes:
        tick_ms, reset_ms: wall time of the last decision's ticks (mean) and of the last reset; not in
            `info`, which is the same whenever an episode is replayed.
        ahead: gap and time to collision to the vehicle ahead on the route, when there is traffic.

    Raises:
        SimulatorLost: from any call, at most one `timeout` after the simulator fell silent; while it loads a
            town `LOADING_TIMEOUT` after.
        InvalidConfig: the map, a route or the weather does not exist on the server.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own
    render_mode = "rgb_array"

    def __init__(
        self, config: RunConfig, address: SimulatorAddress, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self.config = config
        self.address = address
        self._reward = Reward.of(config)
        self.observation_space = observation_space(
            config.frame_stack if config.uses_images else None, config.sees_vehicle_ahead
        )
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._answering = Answering(address)
        self._camera: Camera | None = None
        self._sensors: list[Camera | CollisionSensor] = []
        self._vehicles: list[Vehicle] = []
        self._closed = False
        self._lookout: Lookout | None = None
        self._on_lost: OnLost | None = None
        self._timeout = timeout
        self._abroad = False
        self.traffic: Traffic | None = None
        self.tick_ms = self.reset_ms = 0.0
        self._enter(config.town, {TRAINING: config.routes, HELD_OUT: config.held_out_routes})

    def _enter(self, town: str, routes: Mapping[str, Sequence[str]]) -> None:
        """Load the town and build the task in it; on a failure the server is left as it was."""
        config = self.config
        with self._answering:
            self.connection = Connection(
                self.address, town, rendering=config.uses_images, timeout=self._timeout
            )
        try:
            with self._answering:
                self._build(routes)
        except BaseException:
            self.close()
            raise
        if self._on_lost is not None:
            self.watch(self._on_lost)

    def _build(self, routes: Mapping[str, Sequence[str]]) -> None:
        config, world = self.config, self.connection.world
        if config.second_town:
            self.connection.require_map("second_town", config.second_town)
        self.connection.set_weather(config.weather)
        planned = {
            name: plan_routes(self.connection.map, wanted) for name, wanted in routes.items()
        }
        self.routes: list[Route] = list(chain.from_iterable(planned.values()))
        self._route_sets = _spans(planned)
        self._trackers = [Tracker(route) for route in self.routes]
        self._tracker = self._trackers[0]
        self.ego = Vehicle(world, self.routes[0].pose(0.0))
        self._vehicles.append(self.ego)
        self._collision = CollisionSensor(world, self.ego.actor)
        self._sensors.append(self._collision)
        if config.uses_images:
            self._camera = Camera(world, self.ego.actor, config.camera_width, config.camera_height)
            self._sensors.append(self._camera)
            self._camera.await_stream(self.connection.tick, self.connection.timeout)
            self._resize = Resizer(config.camera_width, config.camera_height)
            self._frames = FrameStack(config.frame_stack)
        if config.traffic:
            self.traffic = Traffic(self.connection, config.scenario)
        self._frame = self.connection.tick()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        began = perf_counter()
        start = self._draw_start(options or {})
        with self._answering:
            self._begin(start)
            observation = self._observe(first=True)
        self.reset_ms = (perf_counter() - began) * 1000.0
        return observation, {
            "start": start,
            "route": self.route.name,
            "position": (self.ego.x, self.ego.y),
        }

    def _draw_start(self, options: dict[str, Any]) -> Start:
        if isinstance(given := options.get("start"), Start):
            return given
        numbers = self._route_sets[options.get("routes", TRAINING)]
        routes = self.routes[numbers.start : numbers.stop]
        if options.get("evaluation"):
            number = int(options.get("route", 0))
            start = draw_evaluation(self.np_random, self.config, routes, number)
        else:
            start = draw_training(self.np_random, self.config, routes)
        return replace(start, route=numbers.start + start.route)

    def _begin(self, start: Start) -> None:
        route = self.routes[start.route]
        pose = route.pose(start.distance, start.right, start.turn)
        self.ego.place(pose)
        # How long a server has run must not show in an episode, neither in its pictures nor in its traffic.
        self.connection.world.reset_all_traffic_lights()
        if self.traffic is not None:
            self.traffic.populate(self.np_random, pose)
        for _ in range(SETTLE_TICKS):
            self.connection.tick()
        self.ego.launch(start.speed)
        self._frame = self.connection.tick()
        self._collision.arm(self._frame)
        self.ego.read()
        self._tracker = self._trackers[start.route]
        self._tracker.start(route.index(start.distance), self.ego.x, self.ego.y, self.ego.yaw)
        self.episode = Episode(self._tracker.distance)
        self.ahead, _ = self._look()
        self._acceleration = 0.0
        self._standing = 0
        self._over_marking = self._touches_marking()

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        steer, pedal = _checked(action)
        began = perf_counter()
        sums = [0.0] * len(COMPONENTS)
        ticks = self.episode.ticks
        with self._answering:
            self.ego.drive(steer, pedal)
            for _ in range(self.config.ticks_per_decision):
                for i, reward in enumerate(self._tick()):
                    sums[i] += reward
                if self.episode.termination:
                    break
            self.tick_ms = (perf_counter() - began) * 1000.0 / (self.episode.ticks - ticks)
            observation = self._observe(first=False)
        rewards = Components(*sums)
        total = sum(sums)
        self.episode.add_decision(rewards, total)
        reason = self.episode.termination
        info = self._info(rewards)
        return observation, total, reason not in (None, "timeout"), reason == "timeout", info

    def _tick(self) -> Components:
        """One simulator tick: what it did, what it earned, whether it ended the episode."""
        ego, tracker = self.ego, self._tracker
        speed, furthest = ego.speed, tracker.furthest
        self._frame = self.connection.tick()
        ego.read()
        tracker.update(ego.x, ego.y, ego.yaw)
        acceleration = (ego.speed - speed) / TICK_SECONDS
        self.ahead, contact = self._look()
        hit = self._collision.hit(expected=contact or ego.jolted)
        touching = self._touches_marking()
        self._standing = stood(self._standing, ego.speed, waiting=self._is_waiting())
        tick = Tick(
            speed=ego.speed,
            lateral=tracker.lateral,
            heading_error=tracker.heading_error,
            half_width=tracker.half_widths[tracker.index],
            jerk=(acceleration - self._acceleration) / TICK_SECONDS,
            crossed=touching and not self._over_marking,
            standing=self._standing,
            gained=tracker.furthest - furthest,
            waypoints=_marks(tracker.furthest) - _marks(furthest),
            gap=self.ahead.gap,
            time_to_collision=self.ahead.time_to_collision,
            allowed=self._allowed(),
            impact=speed if hit else None,
            off_route=abs(tracker.lateral) > self.config.max_deviation,
            goal=tracker.distance >= tracker.route.goal and not hit,
        )
        self._acceleration, self._over_marking = acceleration, touching
        self.episode.add_tick(tick)
        self.episode.termination = self._reason(tick)
        return self._reward(tick)

    def _look(self) -> tuple[Ahead, bool]:
        if self.traffic is None:
            return NOTHING_AHEAD, False
        return self.traffic.look(self.ego, self._tracker)

    def _allowed(self) -> float:
        if not self.config.reward_following:
            return math.inf
        return following_speed(self.ahead.gap, self.ego.speed - self.ahead.closing)

    def _is_waiting(self) -> bool:
        return self.config.reward_following and self.ahead.gap < WAITING_GAP

    def _reason(self, tick: Tick) -> str | None:
        if tick.impact is not None:
            return "collision"
        if tick.goal:
            return "goal"
        if tick.off_route:
            return "off_route"
        return "timeout" if self.episode.ticks >= self.config.max_episode_ticks else None

    def _touches_marking(self) -> bool:
        """Whether a side of the vehicle is over the border of its lane, from the route's geometry.

        The client's lane-invasion sensor is not used: its events come on another thread with no fixed
        tick, which would break bit-for-bit replay, and it costs a third of the tick rate.
        """
        tracker = self._tracker
        return abs(tracker.lateral) + self.ego.half_width > tracker.half_widths[tracker.index]

    def _observe(self, *, first: bool) -> Observation:
        ego, tracker = self.ego, self._tracker
        observation: Observation = {"vector": vector(tracker, ego.x, ego.y, ego.yaw, ego.speed)}
        if self.config.sees_vehicle_ahead:
            observation["ahead"] = vehicle_ahead(self.ahead)
        if self._camera is None:
            return observation
        image = self._camera.image(self._frame, self.connection.timeout)
        frame = self._resize(gray(image))
        observation["image"] = self._frames.fill(frame) if first else self._frames.push(frame)
        observation["command"] = command(tracker, ego.speed)
        return observation

    def _info(self, rewards: Components) -> dict[str, Any]:
        episode, tracker = self.episode, self._tracker
        info: dict[str, Any] = {
            "components": rewards._asdict(),
            "speed": self.ego.speed,
            "position": (self.ego.x, self.ego.y),
            "lateral": tracker.lateral,
            "heading_error": tracker.heading_error,
            "route_percent": self.route_percent,
            "termination": episode.termination,
            "collisions": episode.collisions,
            "lane_invasions": episode.lane_invasions,
        }
        if episode.termination:
            info["episode"] = episode.summary(self.route_percent)
            info["seconds"] = episode.seconds
        return info

    @property
    def route(self) -> Route:
        """The route of the episode in progress."""
        return self._tracker.route

    @property
    def route_percent(self) -> float:
        """Share of the way from the episode's start to the goal that is behind the vehicle."""
        start, goal = self.episode.start, self.route.goal
        share = (self._tracker.furthest - start) / max(1.0, goal - start)
        return 100.0 * min(1.0, max(0.0, share))

    @property
    def last_rgb(self) -> NDArray[np.uint8] | None:
        """The (height, width, 3) image behind the agent's newest frame; None without a camera."""
        return None if self._camera is None else self._camera.last[:, :, 2::-1]

    def render(self) -> NDArray[np.uint8] | None:
        return self.last_rgb

    def watch(self, on_lost: OnLost) -> None:
        """From now on tell, on a thread of its own, of a simulator that dies or hangs under a tick."""
        self._on_lost = on_lost
        self._lookout = Lookout(self.connection, on_lost)
        self._lookout.start()

    def travel(self, *, abroad: bool) -> None:
        """Go to the second town of the configuration, or back: the server loads it, the task is built anew.

        The next call must be `reset`.
        """
        if abroad == self._abroad:
            return
        config = self.config
        self._withdraw()
        self._abroad = abroad
        if abroad:
            self._enter(config.second_town, {SECOND_TOWN: config.second_town_routes})
        else:
            self._enter(config.town, {TRAINING: config.routes, HELD_OUT: config.held_out_routes})

    def close(self) -> None:
        """Stops sensors, destroys actors, leaves synchronous mode. Waits for a dead simulator once at most."""
        with suppress(SimulatorLost):
            self._withdraw()
        self._closed = True

    def _withdraw(self) -> None:
        """Leave the world as it was found, as far as it still answers."""
        lookout, self._lookout = self._lookout, None
        if lookout is not None:
            lookout.stop()
        sensors, self._sensors = self._sensors, []
        for sensor in sensors:
            sensor.stop()
        try:
            if not self._closed and not self._answering.lost:
                with self._answering:
                    self._leave(sensors)
        finally:
            self._vehicles, self._camera, self.traffic = [], None, None
            # Streams still closing on the client's threads abort the process if it exits now.
            sleep(CLOSING_SECONDS)

    def _leave(self, sensors: Sequence[Camera | CollisionSensor]) -> None:
        # A Traffic Manager takes the process along when it meets a dead server; a tick finds out first.
        self.connection.tick()
        if self.traffic is not None:
            self.traffic.close()
        self.connection.destroy([owner.actor.id for owner in (*sensors, *self._vehicles)])
        self.connection.tick()
        self.connection.close()


def _spans(sets: Mapping[str, Sequence[Route]]) -> dict[str, range]:
    """Where each set of routes stands in the list of all."""
    ends = list(accumulate((len(routes) for routes in sets.values()), initial=0))
    return {name: range(*span) for name, span in zip(sets, pairwise(ends), strict=True)}


def _checked(action: Action) -> tuple[float, float]:
    steer, pedal = float(action[0]), float(action[1])
    if not (math.isfinite(steer) and math.isfinite(pedal)):
        raise ValueError(f"action ({steer}, {pedal}) is not finite: the policy has diverged")
    return max(-1.0, min(1.0, steer)), max(-1.0, min(1.0, pedal))


def _marks(distance: float) -> int:
    return math.floor(distance / WAYPOINT_SPACING)
