"""Scenarios for the real `carla` client: `python -m tests.simulator.client NAME PORT` prints what it saw as JSON.

They run in a process of their own because the client may end its process when streams close at exit.
"""

import json
import math
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import carla
import numpy as np

from worker.environment.alarm import STUCK_SECONDS, wake

CAR = "vehicle.tesla.model3"
MOUNT = carla.Transform(carla.Location(x=2.0, z=1.5))


class Session:
    """A synchronous world and what was spawned in it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.client = carla.Client("127.0.0.1", port, 2)
        self.client.set_timeout(30.0)
        self.world = self.client.get_world()
        settings = self.world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
        self.world.apply_settings(settings)
        self.map = self.world.get_map()
        self.points = self.map.get_spawn_points()
        self.sensors: list[Any] = []
        self.ticking_since = math.inf

    def spawn(self, name: str, where: Any, parent: Any = None, **attributes: object) -> Any:
        blueprint = self.world.get_blueprint_library().find(name)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        return self.world.spawn_actor(blueprint, where, attach_to=parent)

    def listen(self, name: str, parent: Any, where: Any = MOUNT, **attributes: object) -> Any:
        sensor = self.spawn(name, where, parent, **attributes)
        messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        sensor.listen(messages.put)
        self.sensors.append(sensor)
        time.sleep(0.2)
        return messages

    def tick(self, count: int = 1) -> int:
        frame = 0
        for _ in range(count):
            self.ticking_since = time.monotonic()
            frame = self.world.tick()
            self.ticking_since = math.inf
        return frame

    def stop(self) -> None:
        for sensor in self.sensors:
            sensor.stop()
            sensor.destroy()
        time.sleep(0.1)


class Alarm(threading.Thread):
    """Wakes a Traffic Manager that lost its notification: the tick would wait for ever."""

    def __init__(self, session: Session, traffic_port: int) -> None:
        super().__init__(daemon=True)
        self.session, self.traffic_port = session, traffic_port

    def run(self) -> None:
        while True:
            time.sleep(0.5)
            if time.monotonic() - self.session.ticking_since > STUCK_SECONDS:
                wake(self.traffic_port)


def receive(messages: Any, frame: int) -> Any:
    while (message := messages.get(timeout=60.0)).frame < frame:
        continue
    return message


def pixels(image: Any) -> Any:
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def trajectory(session: Session) -> dict[str, Any]:
    """A drive with steering and pedals, as the exact numbers the client reads."""
    car = session.spawn(CAR, session.points[0])
    session.tick()
    places = []
    for i in range(120):
        control = carla.VehicleControl(
            throttle=0.6 if i % 40 < 30 else 0.0,
            steer=0.4 * math.sin(i / 9),
            brake=0.5 if i % 40 >= 36 else 0.0,
        )
        car.apply_control(control)
        session.tick()
        at, speed = car.get_transform(), car.get_velocity()
        places.append([at.location.x, at.location.y, at.rotation.yaw, speed.x, speed.y])
    car.destroy()
    return {"places": places}


def pictures(session: Session) -> dict[str, Any]:
    """One moment through four cameras: colour, tags, depth, and colour in fog."""
    car = session.spawn(CAR, session.points[0])
    ahead = carla.Transform(carla.Location(28.0, -238.25, 0.3))
    session.spawn("vehicle.audi.tt", ahead)
    size = {"image_size_x": 160, "image_size_y": 120}
    cameras = {
        kind: session.listen(f"sensor.camera.{kind}", car, **size)
        for kind in ("rgb", "semantic_segmentation", "depth")
    }
    frame = session.tick()
    images = {kind: receive(messages, frame) for kind, messages in cameras.items()}
    depth = pixels(images["depth"]).astype(float)
    metres = (depth[:, :, 2] + 256 * depth[:, :, 1] + 65536 * depth[:, :, 0]) / 16777215 * 1000
    tags = pixels(images["semantic_segmentation"])[:, :, 2]
    clear = pixels(images["rgb"]).copy()
    looks = {}
    for name in ("HardRainNoon", "ClearSunset", "ClearNight"):
        session.world.set_weather(getattr(carla.WeatherParameters, name))
        image = pixels(receive(cameras["rgb"], session.tick()))
        looks[name] = float(np.abs(image.astype(int) - clear).mean())
    session.world.set_weather(carla.WeatherParameters.ClearNoon)
    return {
        "frames": [image.frame == frame for image in images.values()],
        "sky": clear[5, 80, :3].tolist(),
        "tags": sorted(set(tags.ravel().tolist())),
        "ahead_tag": int(tags[70, 80]),
        "ahead_metres": float(metres[70, 80]),
        "near_tag": int(tags[118, 80]),
        "looks": looks,
    }


def contacts(session: Session) -> dict[str, Any]:
    """Into a parked car, then into a house."""
    car = session.spawn(CAR, session.points[0])
    session.spawn("vehicle.audi.tt", carla.Transform(carla.Location(30.0, -238.25, 0.3)))
    events = session.listen("sensor.other.collision", car)
    session.tick()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    session.tick(60)
    time.sleep(0.3)
    first = events.get(timeout=60.0)
    house = session.world.get_level_bbs(carla.CityObjectLabel.Buildings)[0]
    start = house.location.x - house.extent.x - 10.0
    place = carla.Transform(carla.Location(start, house.location.y, 0.0))
    car.set_transform(place)
    while not events.empty():
        events.get()
    session.tick(100)
    second = events.get(timeout=60.0)
    return {
        "car": first.other_actor.type_id,
        "impulse": first.normal_impulse.x,
        "house": second.other_actor.type_id,
        "gap": house.location.x - house.extent.x - car.get_location().x - 2.4,
        "speed": car.get_velocity().length(),
    }


def senses(session: Session) -> dict[str, Any]:
    """IMU, GNSS, lidar, obstacle detector and lane invasion of one drive."""
    car = session.spawn(CAR, session.points[0])
    session.spawn("vehicle.audi.tt", carla.Transform(carla.Location(30.0, -238.25, 0.3)))
    imu = session.listen("sensor.other.imu", car)
    gnss = session.listen("sensor.other.gnss", car, carla.Transform())
    lidar = session.listen("sensor.lidar.ray_cast", car, range=30.0)
    obstacles = session.listen(
        "sensor.other.obstacle", car, carla.Transform(carla.Location(x=2.4)), distance=20.0
    )
    lines = session.listen("sensor.other.lane_invasion", car)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    frame = session.tick(2)
    felt, place = receive(imu, frame), receive(gnss, frame)
    points = np.frombuffer(receive(lidar, frame).raw_data, np.float32).reshape(-1, 4)
    expected = session.map.transform_to_geolocation(car.get_location())
    obstacle = receive(obstacles, frame)
    car.set_transform(session.points[2])
    session.tick()
    car.apply_control(carla.VehicleControl(throttle=0.6, steer=-0.2))
    session.tick(60)
    return {
        "felt": [felt.accelerometer.x, felt.accelerometer.z],
        "latitude": [place.latitude, expected.latitude],
        "longitude": [place.longitude, expected.longitude],
        "lidar": [len(points), float(np.linalg.norm(points[:, :3], axis=1).max())],
        "obstacle": [obstacle.other_actor.type_id, obstacle.distance],
        "crossed": [str(mark.type) for mark in lines.get(timeout=60.0).crossed_lane_markings],
    }


def lights(session: Session) -> dict[str, Any]:
    """The states of one junction over a cycle, and a car that stands at its light."""
    every = list(session.world.get_actors().filter("traffic.traffic_light"))
    group = every[0].get_group_traffic_lights()
    states = []
    for _ in range(60):
        session.tick(20)
        states.append([str(light.state) for light in group])
    light = every[0]
    stop = light.get_affected_lane_waypoints()
    car = session.spawn(CAR, carla.Transform(carla.Location(100.0, -118.25, 0.3)))
    session.tick(2)
    at = car.is_at_traffic_light()
    light.freeze(True)
    before = str(light.state)
    session.tick(600)
    return {
        "states": states,
        "at_light": at,
        "affected": len(stop),
        "frozen": [before, str(light.state)],
        "speed_limit": car.get_speed_limit(),
    }


def traffic(session: Session) -> dict[str, Any]:
    """Thirty cars under the Traffic Manager; how far from the middle of a lane they get."""
    ticks = int(os.environ.get("TICKS", "700"))
    with_port = int(os.environ["TRAFFIC_PORT"])
    manager = session.client.get_trafficmanager(with_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    library = session.world.get_blueprint_library()
    kinds = [each for each in library.filter("vehicle.*") if each.id != CAR]
    kinds = [each for each in kinds if each.get_attribute("base_type").as_str() == "car"]
    Alarm(session, with_port).start()
    cars = []
    for i, point in enumerate(session.points[5::3]):
        if len(cars) < 30 and (car := session.world.try_spawn_actor(kinds[i % 13], point)):
            cars.append(car)
    session.tick()
    for car in cars:
        car.set_autopilot(True, with_port)
    lanes = np.array([_center(point.transform) for point in session.map.generate_waypoints(0.5)])
    driven, worst = np.zeros(len(cars)), 0.0
    last = np.array([(c.get_location().x, c.get_location().y) for c in cars])
    for i in range(ticks):
        session.tick()
        if i % 4 == 0:
            now = np.array([(c.get_location().x, c.get_location().y) for c in cars])
            driven += np.hypot(*(now - last).T)
            offset = now[:, None] - lanes[None, :, :2]
            nearest = (offset**2).sum(-1).argmin(1)
            dx, dy = offset[np.arange(len(cars)), nearest].T
            # Beside the nearest lane's middle; along it the next point is 0.5 m away.
            apart = np.abs(dy * np.cos(lanes[nearest, 2]) - dx * np.sin(lanes[nearest, 2]))
            worst, last = max(worst, float(apart.max())), now
    alive = sum(car.is_alive for car in cars)
    for car in cars:
        car.set_autopilot(False, with_port)
    session.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()
    return {
        "cars": len(cars),
        "alive": alive,
        "worst": worst,
        "moved": int((driven > 20).sum()),
    }


def _center(transform: Any) -> tuple[float, float, float]:
    return transform.location.x, transform.location.y, math.radians(transform.rotation.yaw)


def crossing(session: Session) -> dict[str, Any]:
    """A car shifted sideways over every border of its lane, and what the lane invasion sensor says."""
    place = session.points[0]
    car = session.spawn(CAR, place)
    lines = session.listen("sensor.other.lane_invasion", car, carla.Transform())
    right = place.get_right_vector()
    for step in (*range(10), *range(10, -10, -1)):
        aside = carla.Location(right.x * step, right.y * step, 0.0)
        car.set_transform(carla.Transform(place.location + aside, place.rotation))
        session.tick()
    marks = lines.get(timeout=60.0).crossed_lane_markings
    return {"kinds": [str(mark.type) for mark in marks]}


def worlds(session: Session) -> dict[str, Any]:
    """Loading, reloading, a map of one's own, and what an unknown map or call says."""
    first = session.world.id
    oval = session.client.load_world("oval")
    names = [oval.get_map().name]
    text = session.map.to_opendrive().replace('name="town"', 'name="mine"')
    own = session.client.generate_opendrive_world(text, carla.OpendriveGenerationParameters())
    names.append(own.get_map().name)
    back = session.client.load_world("town")
    errors = []
    for attempt in (
        lambda: session.client.load_world("nowhere"),
        lambda: session.client.get_world().cast_ray(carla.Location(), carla.Location(x=1.0)),
        lambda: session.client.generate_opendrive_world(
            re.sub(' length="[^"]*"', ' length="1e5"', text, count=20),
            carla.OpendriveGenerationParameters(),
        ),
    ):
        try:
            attempt()
        except RuntimeError as error:
            errors.append(str(error))
    return {"ids": [first, oval.id, own.id, back.id], "names": names, "errors": errors}


def die(session: Session) -> dict[str, Any]:
    """Leave cars, sensors and synchronous mode behind without a word."""
    car = session.spawn(CAR, session.points[0])
    session.listen("sensor.camera.rgb", car, image_size_x=84, image_size_y=84)
    session.tick()
    tell({"car": car.id})
    os._exit(0)


SCENARIOS: dict[str, Callable[[Session], dict[str, Any]]] = {
    scenario.__name__: scenario
    for scenario in (trajectory, pictures, contacts, senses, lights, traffic, crossing, worlds, die)
}


def main() -> None:
    session = Session(int(sys.argv[2]))
    found = SCENARIOS[sys.argv[1]](session)
    session.stop()
    tell(found)
    os._exit(0)


if __name__ == "__main__":
    main()
