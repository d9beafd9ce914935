"""What a CARLA server must do for Pitwall to train on it, asked through the `carla` client itself."""

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any

import carla
import numpy as np

from worker.conformance import CheckResult
from worker.conformance_site import (
    CAR,
    DELTA,
    PATIENCE,
    SETTLE_TICKS,
    STREAM_SECONDS,
    NotConforming,
    Site,
    receive,
    require,
)
from worker.probe import CLIENT, free_port

TRAFFIC, TRAFFIC_TICKS = 10, 200


def connect(site: Site) -> str:
    site.connect()
    server = site.client.get_server_version()
    require(server == CLIENT, f"server is {server}, Pitwall's client {CLIENT}")
    return f"CARLA {server}, map {site.world.get_map().name}"


def geometry(site: Site) -> str:
    world_map = site.world.get_map()
    points, edges = world_map.get_spawn_points(), world_map.get_topology()
    require(len(points) > 1, f"{len(points)} spawn points: at least 2 are needed")
    require(bool(edges), "the map's topology is empty")
    waypoint = world_map.get_waypoint(points[0].location)
    apart = waypoint.transform.location.distance(points[0].location)
    require(apart < 2.0, f"spawn point 0 is {apart:.1f} m from the nearest lane")
    require(bool(waypoint.next(2.0)), "a lane at a spawn point leads nowhere")
    return f"{len(points)} spawn points, {len(edges)} lanes joined"


def synchronous_mode(site: Site) -> str:
    site.synchronise(True)
    frames = [site.tick() for _ in range(10)]
    snapshot = site.world.get_snapshot()
    require(frames == list(range(frames[0], frames[0] + 10)), f"frames were {frames}")
    require(snapshot.frame == frames[-1], f"state of frame {snapshot.frame} after {frames[-1]}")
    delta = snapshot.timestamp.delta_seconds
    require(abs(delta - DELTA) < 1e-6, f"a tick took {delta} simulated seconds, not {DELTA}")
    time.sleep(0.3)
    require(site.world.get_snapshot().frame == frames[-1], "the world ran on without a tick")
    return "10 frames in a row, none without a tick"


def spawning(site: Site) -> str:
    car = site.car()
    again = site.world.try_spawn_actor(
        site.world.get_blueprint_library().find(CAR), site.world.get_map().get_spawn_points()[0]
    )
    require(again is None, "two cars were put in one place")
    require(site.world.get_actor(car.id) is not None, "the car is not in the list of actors")
    require(car.destroy(), "the car could not be destroyed")
    site.tick()
    require(not car.is_alive, "the car is still alive after it was destroyed")
    return "spawned, refused in an occupied place, destroyed"


def driving(site: Site) -> str:
    car = site.car()
    yaw = car.get_transform().rotation.yaw
    car.apply_control(carla.VehicleControl(throttle=0.7))
    site.tick(40)
    # Only now: houses may stand close beside the road.
    car.apply_control(carla.VehicleControl(throttle=0.7, steer=0.3))
    site.tick(20)
    speed = car.get_velocity().length()
    require(speed > 1.0, f"3 s of throttle gave {speed:.1f} m/s")
    turned = math.remainder(car.get_transform().rotation.yaw - yaw, 360.0)
    require(turned > 1.0, f"steering right turned the car by {turned:.1f} degrees")
    car.apply_control(carla.VehicleControl(brake=1.0))
    site.tick(100)
    rest = car.get_velocity().length()
    require(rest < 0.2, f"5 s of full brake left {rest:.1f} m/s")
    return f"{speed:.1f} m/s after 3 s, turned {turned:.0f} degrees, stopped"


def placing(site: Site) -> str:
    car = site.car()
    target = site.world.get_map().get_spawn_points()[1]
    car.set_transform(target)
    site.tick(SETTLE_TICKS)
    apart = car.get_location().distance(target.location)
    require(apart < 1.0, f"set_transform left the car {apart:.1f} m away")
    ahead = target.get_forward_vector()
    car.apply_control(carla.VehicleControl())
    car.set_target_velocity(carla.Vector3D(5.0 * ahead.x, 5.0 * ahead.y, 0.0))
    site.tick(2)
    speed = car.get_velocity().length()
    require(4.0 < speed < 6.0, f"set_target_velocity of 5 m/s gave {speed:.1f}")
    return f"{apart:.2f} m off its target, rolling at {speed:.1f} m/s"


def _camera(site: Site, car: carla.Actor, size: int = 84) -> carla.Actor:
    return site.spawn(
        "sensor.camera.rgb",
        carla.Transform(carla.Location(x=2.0, z=1.5)),
        parent=car,
        image_size_x=size,
        image_size_y=size,
    )


def camera_frames(site: Site) -> str:
    queue = site.listen(_camera(site, site.car()))
    exact = 0
    for _ in range(30):
        frame = site.tick()
        image = receive(queue, frame, "camera image")
        exact += image.frame == frame
    require((image.width, image.height) == (84, 84), f"image is {image.width}x{image.height}")
    pixels = np.frombuffer(image.raw_data, dtype=np.uint8).reshape(84, 84, 4)
    require(exact == 30, f"only {exact} of 30 images carry their tick's frame number")
    contrast = float(pixels[:, :, :3].std())
    require(contrast > 5.0, f"the picture is flat (standard deviation {contrast:.1f})")
    return "30 of 30 images with their tick's frame number"


def collisions(site: Site) -> str:
    car = site.car()
    forward = car.get_transform().get_forward_vector()
    ahead = car.get_transform()
    ahead.location += carla.Location(12.0 * forward.x, 12.0 * forward.y, 0.3)
    other = site.spawn(CAR, ahead)
    queue = site.listen(site.spawn("sensor.other.collision", carla.Transform(), parent=car))
    site.tick(SETTLE_TICKS)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(120):
        site.tick()
        if not queue.empty():
            break
    time.sleep(STREAM_SECONDS)
    require(not queue.empty(), "driving into a parked car gave no collision event in 6 s")
    event = queue.get()
    require(event.other_actor.id == other.id, f"the event names {event.other_actor.type_id}")
    return f"hit {event.other_actor.type_id}, impulse {event.normal_impulse.length():.0f} Ns"


def lane_invasions(site: Site) -> str:
    car = site.car()
    queue = site.listen(site.spawn("sensor.other.lane_invasion", carla.Transform(), parent=car))
    car.apply_control(carla.VehicleControl(throttle=0.5, steer=-0.2))
    for _ in range(100):
        site.tick()
        if not queue.empty():
            break
    time.sleep(STREAM_SECONDS)
    require(not queue.empty(), "driving over the lane's border gave no event in 5 s")
    kinds = ", ".join(str(mark.type) for mark in queue.get().crossed_lane_markings)
    return f"crossed {kinds}"


def inertial_and_position(site: Site) -> str:
    car = site.car()
    imu = site.listen(site.spawn("sensor.other.imu", carla.Transform(), parent=car))
    gnss = site.listen(site.spawn("sensor.other.gnss", carla.Transform(), parent=car))
    frame = site.tick(2)
    felt = receive(imu, frame, "IMU measurement").accelerometer
    require(7.0 < felt.z < 13.0, f"a standing car feels {felt.z:.1f} m/s2 downwards")
    place = receive(gnss, frame, "GNSS measurement")
    expected = site.world.get_map().transform_to_geolocation(car.get_location())
    apart = 111_000 * abs(place.latitude - expected.latitude)
    require(apart < 3.0, f"GNSS is {apart:.0f} m from the map's own geolocation")
    return f"{felt.z:.2f} m/s2, {place.latitude:.5f}, {place.longitude:.5f}"


def batches(site: Site) -> str:
    blueprint = site.world.get_blueprint_library().find(CAR)
    points = site.world.get_map().get_spawn_points()
    command = carla.command
    control = command.ApplyVehicleControl(command.FutureActor, carla.VehicleControl(throttle=1.0))
    wanted = [command.SpawnActor(blueprint, points[i]).then(control) for i in (0, 1, 0)]
    answers = site.client.apply_batch_sync(wanted, False)
    ids = [answer.actor_id for answer in answers if not answer.error]
    site.tick(40)
    speeds = [actor.get_velocity().length() for actor in site.world.get_actors(ids)]
    gone = site.client.apply_batch_sync([command.DestroyActor(i) for i in ids], False)
    site.tick()
    require(bool(answers[2].error), "a batch put two cars in one place")
    require(len(speeds) == 2 and min(speeds) > 0.5, f"cars with throttle move at {speeds} m/s")
    require(not any(answer.error for answer in gone), "a batch could not destroy what it spawned")
    return "two cars spawned, driven and destroyed by command"


def weather(site: Site) -> str:
    before = site.world.get_weather()
    site.world.set_weather(carla.WeatherParameters.HardRainNoon)
    site.tick()
    found = site.world.get_weather()
    site.world.set_weather(before)
    site.tick()
    require(found == carla.WeatherParameters.HardRainNoon, "the weather set is not the one read")
    return "HardRainNoon set and read back"


def second_client(site: Site) -> str:
    car = site.car()
    camera = _camera(site, car)
    site.tick()
    other = carla.Client(site.host, site.port, 2)
    other.set_timeout(PATIENCE)
    watched = other.get_world().get_actor(camera.id)
    require(watched is not None, "a second client does not see the first one's camera")
    queue = site.listen(watched)
    frame = site.tick()
    receive(queue, frame, "image for a second client")
    watched.stop()
    return "a second client watches the first one's camera"


def traffic_lights(site: Site) -> str:
    lights = list(site.world.get_actors().filter("traffic.traffic_light"))
    if not lights:
        return "the map has none"
    seen = {light.id: {light.state} for light in lights}
    for _ in range(60):
        site.tick(20)
        for light in lights:
            seen[light.id].add(light.state)
    changed = sum(len(states) > 1 for states in seen.values())
    require(changed > 0, f"none of {len(lights)} lights changed in 60 s")
    return f"{len(lights)} lights, {changed} changed within a minute"


def traffic_manager(site: Site) -> str:
    port = free_port()
    manager = site.client.get_trafficmanager(port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    cars = [
        actor
        for point in site.world.get_map().get_spawn_points()[::2][:TRAFFIC]
        if (actor := _try_car(site, point)) is not None
    ]
    # A car handed over before its first tick is sometimes dropped by the Traffic Manager.
    site.tick()
    starts = [car.get_location() for car in cars]
    with site.awake(port):
        for car in cars:
            car.set_autopilot(True, port)
        site.tick(TRAFFIC_TICKS)
        left = [(car, start) for car, start in zip(cars, starts, strict=True) if car.is_alive]
        moved = [car.get_location().distance(start) for car, start in left]
        for car, _ in left:
            car.set_autopilot(False, port)
        site.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()
    require(
        len(left) == len(cars),
        f"{len(cars) - len(left)} of {len(cars)} cars vanished: the Traffic Manager removes those whose "
        "lane ends",
    )
    driven = sum(distance > 5.0 for distance in moved)
    require(driven > len(cars) / 2, f"only {driven} of {len(cars)} cars drove off in 10 s")
    return f"{driven} of {len(cars)} cars drove off, the farthest {max(moved):.0f} m"


def _try_car(site: Site, point: carla.Transform) -> carla.Actor | None:
    actor = site.world.try_spawn_actor(site.world.get_blueprint_library().find(CAR), point)
    if actor is not None:
        site.spawned.append(actor)
    return actor


def throughput(site: Site) -> str:
    car = site.car()
    bare = _rate(site, 200, None)
    queue = site.listen(_camera(site, car))
    seen = _rate(site, 100, queue)
    return f"{bare:.0f} ticks/s with one car, {seen:.0f} with an 84x84 camera"


def _rate(site: Site, ticks: int, queue: "SimpleQueue[Any] | None") -> float:
    began = time.perf_counter()
    for _ in range(ticks):
        frame = site.tick()
        if queue is not None:
            receive(queue, frame, "camera image")
    return ticks / (time.perf_counter() - began)


def reloading(site: Site) -> str:
    car, before = site.car(), site.world.id
    # The settings stay: a reload must not leave synchronous mode behind our back.
    site.world = site.client.reload_world(False)
    site.spawned.clear()
    require(site.world.id != before, "the episode's number is the old one")
    site.tick()
    require(site.world.get_actor(car.id) is None, "a car outlived the reload")
    require(site.world.get_settings().synchronous_mode, "the reload left synchronous mode")
    return f"episode {before} became {site.world.id}, empty"


def leaving(site: Site) -> str:
    site.synchronise(False)
    first = site.world.wait_for_tick(PATIENCE).frame
    second = site.world.wait_for_tick(PATIENCE).frame
    require(second > first, "the world does not run by itself after synchronous mode")
    return "the world runs by itself again"


Check = Callable[[Site], str]
CHECKS: dict[str, Check] = {
    "connect": connect,
    "map": geometry,
    "synchronous mode": synchronous_mode,
    "spawning": spawning,
    "driving": driving,
    "placing": placing,
    "camera frames": camera_frames,
    "collision sensor": collisions,
    "lane invasion sensor": lane_invasions,
    "IMU and GNSS": inertial_and_position,
    "batches": batches,
    "weather": weather,
    "second client": second_client,
    "traffic lights": traffic_lights,
    "Traffic Manager": traffic_manager,
    "throughput": throughput,
    "reload": reloading,
    "leaving": leaving,
}
# Without these nothing else can be asked.
ESSENTIAL = ("connect", "synchronous mode")


def answer(site: Site, name: str) -> CheckResult:
    """Put one question and clear up after it, whatever came of it."""
    began = time.monotonic()
    try:
        passed, detail = True, CHECKS[name](site)
    except (NotConforming, RuntimeError) as error:
        passed, detail = False, str(error)
    try:
        if site.spawned:
            site.clear()
    except RuntimeError as error:
        passed, detail = False, f"{detail}; clearing up failed: {error}"
    return CheckResult(name, passed, detail, round(time.monotonic() - began, 2))


def main() -> None:
    """Print each question before it is put, and its answer, as lines of JSON."""
    site = Site(sys.argv[1], int(sys.argv[2]))
    for name in CHECKS:
        _tell({"asking": name})
        result = answer(site, name)
        _tell(asdict(result))
        if name in ESSENTIAL and not result.passed:
            break
    # Streams still closing on the client's threads abort an ordinary exit.
    time.sleep(STREAM_SECONDS)
    os._exit(0)


def _tell(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
