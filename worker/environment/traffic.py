"""Other vehicles: spawned anew each episode, driven by the client's Traffic Manager, watched for contact."""

import math
from dataclasses import dataclass

import carla
import numpy as np

from worker.environment.ahead import LOOK_AHEAD, NOTHING_AHEAD, Ahead, ahead
from worker.environment.alarm import Alarm
from worker.environment.boxes import Box, overlap
from worker.environment.connection import Connection
from worker.environment.route import Pose, Tracker
from worker.environment.vehicle import Vehicle

# Vehicles of scenario 0, 1, 2.
VEHICLES = (20, 50, 100)
CLEAR_OF_EGO = 20.0
CONTACT_MARGIN = 0.3
# No two cars' half lengths add up to more metres.
LONGEST = 10.0


@dataclass(frozen=True)
class _Other:
    actor: carla.Actor
    half_length: float
    half_width: float


class Traffic:
    """At most `VEHICLES[scenario]` vehicles; fewer where the map has too few spawn points.

    The Traffic Manager runs inside this process and listens on the address's `traffic_port`. When the
    simulator dies it takes the whole process with it (SIGABRT) before Python sees an error.
    """

    def __init__(self, connection: Connection, scenario: int) -> None:
        self._connection = connection
        self._wanted = VEHICLES[scenario]
        self._manager = connection.client.get_trafficmanager(connection.address.traffic_port)
        self._manager.set_synchronous_mode(True)
        self.alarm = Alarm(connection)
        self.alarm.start()
        self._blueprints = [
            blueprint
            for blueprint in connection.world.get_blueprint_library().filter("vehicle.*")
            if blueprint.has_attribute("base_type")
            and blueprint.get_attribute("base_type").as_str() == "car"
        ]
        self._vehicles: list[_Other] = []

    def __len__(self) -> int:
        return len(self._vehicles)

    def populate(self, rng: np.random.Generator, ego: Pose) -> None:
        """Replaces all vehicles by new ones on spawn points drawn with `rng`, clear of the ego."""
        self._clear()
        # Before the spawn: seeding also resets the map's traffic lights to the start of their cycle.
        self._manager.set_random_device_seed(int(rng.integers(2**31)))
        ids = self._spawn(rng, ego)
        # The Traffic Manager drops vehicles it is given before a tick has shown them.
        self._connection.tick()
        actors = self._connection.world.get_actors(ids)
        self._vehicles = [_measured(actor) for actor in actors]
        for vehicle in self._vehicles:
            vehicle.actor.set_autopilot(True, self._connection.address.traffic_port)

    def _spawn(self, rng: np.random.Generator, ego: Pose) -> list[int]:
        points = [
            point
            for point in self._connection.map.get_spawn_points()
            if math.hypot(point.location.x - ego.x, point.location.y - ego.y) > CLEAR_OF_EGO
        ]
        chosen = rng.permutation(len(points))[: self._wanted]
        kinds = rng.integers(len(self._blueprints), size=len(chosen))
        answers = self._connection.client.apply_batch_sync(
            [
                carla.command.SpawnActor(self._blueprints[kind], points[i])
                for kind, i in zip(kinds.tolist(), chosen.tolist(), strict=True)
            ],
            False,
        )
        return [answer.actor_id for answer in answers if not answer.error]

    def _clear(self) -> None:
        if not self._vehicles:
            return
        self._connection.destroy([vehicle.actor.id for vehicle in self._vehicles])
        self._vehicles = []
        self._connection.tick()

    def look(self, ego: Vehicle, tracker: Tracker) -> tuple[Ahead, bool]:
        """What is ahead on the route, and whether any vehicle is close enough to be in contact."""
        own = Box(ego.x, ego.y, ego.yaw, ego.half_length, ego.half_width)
        nearest, contact = NOTHING_AHEAD, False
        snapshot = self._connection.world.get_snapshot()
        for vehicle in self._vehicles:
            now = snapshot.find(vehicle.actor.id)
            if now is None:  # the Traffic Manager destroys who has stood for a minute and a half
                continue
            transform = now.get_transform()
            x, y = transform.location.x, transform.location.y
            if math.hypot(x - ego.x, y - ego.y) > LOOK_AHEAD + LONGEST:
                continue
            yaw = math.radians(transform.rotation.yaw)
            box = Box(x, y, yaw, vehicle.half_length, vehicle.half_width)
            contact = contact or overlap(own, box, CONTACT_MARGIN)
            velocity = now.get_velocity()
            found = ahead(tracker, own, box, ego.speed, (velocity.x, velocity.y))
            nearest = min(nearest, found)
        return nearest, contact

    def close(self) -> None:
        """Removes the vehicles and gives the Traffic Manager's port back."""
        self._clear()
        self.alarm.stop()
        self._manager.set_synchronous_mode(False)
        self._manager.shut_down()


def _measured(actor: carla.Actor) -> _Other:
    extent = actor.bounding_box.extent
    return _Other(actor, float(extent.x), float(extent.y))
