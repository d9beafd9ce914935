"""One vehicle of ours in the world: the ego, or an obstacle parked for a probe."""

import math

import carla

from worker.environment.connection import TICK_SECONDS, SimulatorLost
from worker.environment.route import Pose

BLUEPRINT = "vehicle.tesla.model3"
# A real server drops the car onto its wheels; placed on the road itself it would start inside it.
CLEARANCE = 0.3
# What tyres and brakes cannot do in one tick, a blow did: m/s^2 and metres.
HARDEST_BRAKING = 14.0
LARGEST_SLIP = 0.02


class Vehicle:
    """Spawns, places, drives and reads one vehicle.

    Attributes:
        x, y: metres; yaw: radians; speed: m/s. They are what the last `read()` found.
        jolted: whether between the last two reads it moved as only a blow can make it.
        half_width, half_length: metres of its bounding box.
    """

    def __init__(self, world: carla.World, pose: Pose, role: str = "hero") -> None:
        self._world = world
        blueprint = world.get_blueprint_library().find(BLUEPRINT)
        blueprint.set_attribute("role_name", role)
        try:
            self.actor = world.spawn_actor(blueprint, _transform(pose))
        except RuntimeError as error:  # something stands there, or nobody answers
            where = f"({pose.x:.1f}, {pose.y:.1f})"
            raise SimulatorLost(f"no vehicle could be spawned at {where}: {error}") from error
        extent = self.actor.bounding_box.extent
        self.half_length, self.half_width = float(extent.x), float(extent.y)
        self.x = self.y = self.yaw = self.speed = 0.0
        self.jolted = False

    def place(self, pose: Pose) -> None:
        """Puts the vehicle there, braked and at rest."""
        self.actor.apply_control(carla.VehicleControl(brake=1.0))
        self.actor.set_target_velocity(carla.Vector3D())
        self.actor.set_target_angular_velocity(carla.Vector3D())
        self.actor.set_transform(_transform(pose))

    def launch(self, speed: float) -> None:
        """Releases the brake and rolls forward at `speed` m/s."""
        self.actor.apply_control(carla.VehicleControl())
        yaw = math.radians(self.actor.get_transform().rotation.yaw)
        velocity = carla.Vector3D(speed * math.cos(yaw), speed * math.sin(yaw), 0.0)
        self.actor.set_target_velocity(velocity)

    def drive(self, steer: float, pedal: float) -> None:
        """Both in [-1, 1]; a positive pedal is throttle, the rest brake."""
        throttle, brake = (pedal, 0.0) if pedal > 0.0 else (0.0, -pedal)
        self.actor.apply_control(carla.VehicleControl(throttle, steer, brake))

    def read(self) -> None:
        """Takes over the state of the last tick.

        Raises:
            SimulatorLost: another client destroyed the vehicle or loaded another world; its transform
                would read as zero.
        """
        transform, velocity = self.actor.get_transform(), self.actor.get_velocity()
        location = transform.location
        if location.x == location.y == location.z == 0.0 and not self._exists():
            raise SimulatorLost("the vehicle vanished from the world: another client removed it")
        yaw = math.radians(transform.rotation.yaw)
        speed = math.hypot(velocity.x, velocity.y)
        middle = self.yaw + math.remainder(yaw - self.yaw, math.tau) / 2
        slip_x = location.x - self.x - speed * TICK_SECONDS * math.cos(middle)
        slip_y = location.y - self.y - speed * TICK_SECONDS * math.sin(middle)
        braking = (self.speed - speed) / TICK_SECONDS
        self.jolted = braking > HARDEST_BRAKING or math.hypot(slip_x, slip_y) > LARGEST_SLIP
        self.x, self.y, self.yaw, self.speed = location.x, location.y, yaw, speed

    def _exists(self) -> bool:
        # is_alive tells only whether this very handle destroyed it; is_active of a missing actor is
        # uninitialised memory.
        return bool(self._world.get_snapshot().has_actor(self.actor.id))

    def destroy(self) -> None:
        self.actor.destroy()


def _transform(pose: Pose) -> carla.Transform:
    return carla.Transform(
        carla.Location(pose.x, pose.y, pose.z + CLEARANCE),
        carla.Rotation(yaw=math.degrees(pose.yaw)),
    )
