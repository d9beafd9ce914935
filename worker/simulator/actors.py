"""Everything that stands or moves in the world, and what the wire says about each."""

import math
from dataclasses import dataclass, field

from worker.simulator.blueprints import UIDS, Blueprint, Size
from worker.simulator.pose import Box, Pose, half_turn
from worker.simulator.protocol import (
    CAMERAS,
    TRAFFIC_LIGHT,
    VEHICLE,
    WALKER,
    LightState,
    Stream,
    Wire,
)
from worker.simulator.vehicle import MASS, Control, Motion

AT_REST = (0.0, 0.0, 0.0)
STANDING, HANDS_OFF = Motion(0.0, 0.0, 0.0), Control()
WALKER_MASS = 75.0
STATIC_MASS = 1e9


@dataclass(slots=True, eq=False)
class Actor:
    """Anything with an id.

    Attributes:
        owner: number of the connection that spawned it, 0 for what belongs to the map.
        relative: pose on the parent, for attached actors.
        stream: number of its stream, 0 if it sends none.
    """

    id: int
    blueprint: Blueprint
    pose: Pose
    owner: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    parent: "Actor | None" = None
    relative: Pose = field(default_factory=Pose)
    stream: int = 0
    velocity: tuple[float, float, float] = AT_REST
    angular_velocity: tuple[float, float, float] = AT_REST
    acceleration: tuple[float, float, float] = AT_REST

    @property
    def size(self) -> Size:
        return self.blueprint.size

    @property
    def mass(self) -> float:
        return STATIC_MASS

    @property
    def is_movable(self) -> bool:
        """Whether a blow moves it."""
        return False

    @property
    def is_solid(self) -> bool:
        """Whether others collide with it."""
        return self.size.length > 0 and self.parent is None and self.blueprint.stream is None

    @property
    def box(self) -> Box:
        yaw = math.radians(self.pose.yaw)
        length, width, _ = self.size
        return Box(self.pose.x, self.pose.y, math.cos(yaw), math.sin(yaw), length, width)

    def bounding_box(self) -> Wire:
        height = self.size.height
        return [[0.0, 0.0, height], list(self.size), [0.0, 0.0, 0.0], self.id]

    def description(self) -> Wire:
        kinds = {each.name: int(each.kind) for each in self.blueprint.fields}
        values = [[name, kinds[name], value] for name, value in self.attributes.items()]
        return [UIDS.get(self.blueprint.id, 0), self.blueprint.id, values]

    def wire(self, token: bytes) -> Wire:
        parent = self.parent.id if self.parent else 0
        tags = bytes([self.blueprint.tag])
        return [self.id, parent, self.description(), self.bounding_box(), tags, token]

    def union(self) -> bytes:
        """The part of the world state only this kind of actor has."""
        return b""

    def place(self, pose: Pose) -> None:
        """Teleport, at rest."""
        self.pose = pose
        self.velocity = self.angular_velocity = self.acceleration = AT_REST

    def follow(self) -> None:
        """Move with the parent."""
        if self.parent is not None:
            self.pose = self.parent.pose.mount(self.relative)
            self.velocity = self.parent.velocity


@dataclass(slots=True, eq=False)
class Sensor(Actor):
    """Sends what it measures; `sent_at` is the simulated second it last did."""

    sent_at: float = -math.inf

    @property
    def kind(self) -> Stream | None:
        return self.blueprint.stream

    @property
    def is_camera(self) -> bool:
        return self.kind in CAMERAS

    def number(self, name: str) -> float:
        return float(self.attributes.get(name) or 0.0)


@dataclass(slots=True, eq=False)
class Vehicle(Actor):
    """A car. `motion` is the truth it is integrated in; pose and velocities are derived from it."""

    motion: Motion = STANDING
    control: Control = HANDS_OFF
    lights: int = 0
    speed_limit: float = 30.0
    light: "TrafficLight | None" = None
    has_physics: bool = True

    @property
    def mass(self) -> float:
        return MASS

    def place(self, pose: Pose) -> None:
        self.pose = pose
        self.velocity = self.angular_velocity = self.acceleration = AT_REST
        self.motion = Motion(pose.x, pose.y, math.radians(pose.yaw))

    @property
    def is_movable(self) -> bool:
        return self.has_physics

    def push(self, x: float, y: float) -> None:
        """Set the velocity in m/s; a car has only the part along its heading."""
        yaw = self.motion.yaw
        speed = x * math.cos(yaw) + y * math.sin(yaw)
        self.motion = self.motion._replace(speed=speed)
        self.velocity = (speed * math.cos(yaw), speed * math.sin(yaw), 0.0)

    def settle(self, motion: Motion, height: float, seconds: float) -> None:
        """Take over a new motion after `seconds`, on ground `height` metres high."""
        self.motion = motion
        vx, vy = motion.speed * math.cos(motion.yaw), motion.speed * math.sin(motion.yaw)
        old_x, old_y, _ = self.velocity
        self.acceleration = ((vx - old_x) / seconds, (vy - old_y) / seconds, 0.0)
        self.velocity = (vx, vy, 0.0)
        self.angular_velocity = (0.0, 0.0, math.degrees(motion.yaw_rate))
        yaw = half_turn(math.degrees(motion.yaw))
        self.pose = Pose(motion.x, motion.y, height, 0.0, yaw, 0.0)

    def jolt(self, shift: tuple[float, float], push: tuple[float, float], seconds: float) -> None:
        """A blow in this tick: moved by `shift` metres, its velocity changed by `push` m/s."""
        yaw = self.motion.yaw
        gained = push[0] * math.cos(yaw) + push[1] * math.sin(yaw)
        speed = self.motion.speed + gained
        x, y = self.motion.x + shift[0], self.motion.y + shift[1]
        self.motion = self.motion._replace(x=x, y=y, speed=speed)
        gained_x, gained_y = gained * math.cos(yaw), gained * math.sin(yaw)
        self.velocity = (self.velocity[0] + gained_x, self.velocity[1] + gained_y, 0.0)
        ax, ay, _ = self.acceleration
        self.acceleration = (ax + gained_x / seconds, ay + gained_y / seconds, 0.0)
        self.pose = self.pose._replace(x=x, y=y)

    def union(self) -> bytes:
        control, light = self.control, self.light
        return VEHICLE.pack(
            control.throttle,
            control.steer,
            control.brake,
            control.hand_brake,
            control.reverse,
            control.manual_gear,
            self.gear,
            self.speed_limit,
            light.state if light else LightState.GREEN,
            light is not None,
            light.id if light else 0,
            0,
        )

    @property
    def gear(self) -> int:
        if self.control.manual_gear:
            return self.control.gear
        if self.control.reverse:
            return -1
        return 1 + min(5, int(abs(self.motion.speed) / 6.0))


@dataclass(slots=True, eq=False)
class Walker(Actor):
    """A pedestrian that goes where it is told, in a straight line."""

    direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    speed: float = 0.0

    @property
    def mass(self) -> float:
        return WALKER_MASS

    def walk(self, seconds: float) -> None:
        x, y, _ = self.direction
        reach = math.hypot(x, y)
        if not reach or not self.speed:
            self.velocity = AT_REST
            return
        vx, vy = x / reach * self.speed, y / reach * self.speed
        self.velocity = (vx, vy, 0.0)
        yaw = math.degrees(math.atan2(vy, vx))
        self.pose = Pose(
            self.pose.x + vx * seconds, self.pose.y + vy * seconds, self.pose.z, 0.0, yaw, 0.0
        )

    def union(self) -> bytes:
        return WALKER.pack(*self.direction, self.speed, False)


@dataclass(slots=True, eq=False)
class TrafficLight(Actor):
    """One light; its group decides when it changes. Times in seconds."""

    sign: str = ""
    pole: int = 0
    state: LightState = LightState.RED
    green: float = 8.0
    yellow: float = 2.0
    red: float = 2.0
    elapsed: float = 0.0
    frozen: bool = False

    def union(self) -> bytes:
        return TRAFFIC_LIGHT.pack(
            self.sign.encode()[:31],
            self.green,
            self.yellow,
            self.red,
            self.elapsed,
            self.pole,
            self.frozen,
            self.state,
        )
