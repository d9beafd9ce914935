"""What cameras draw, without a client between."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.simulator.actors import Sensor, TrafficLight
from worker.simulator.camera import Cameras
from worker.simulator.pose import Pose
from worker.simulator.protocol import LightState
from worker.simulator.weather import Weather
from worker.simulator.world import World

MOUNT = Pose(2.0, 0.0, 1.5)
Picture = NDArray[np.uint8]


@pytest.fixture
def cameras(world: World) -> Cameras:
    return Cameras(world)


def camera(world: World, kind: str = "rgb", mount: Pose = MOUNT, **size: int) -> Sensor:
    """A camera on a car on the first spawn point."""
    cars = [actor for actor in world.actors.values() if actor.blueprint.id.startswith("vehicle.")]
    car = cars[0] if cars else world.spawn("vehicle.tesla.model3", {}, Pose(16.0, -238.25), 1)
    width, height = size.get("width", 84), size.get("height", 84)
    attributes = {"image_size_x": str(width), "image_size_y": str(height)}
    sensor = world.spawn(f"sensor.camera.{kind}", attributes, mount, 1, car.id)
    assert isinstance(sensor, Sensor)
    return sensor


def picture(cameras: Cameras, sensor: Sensor) -> Picture:
    shape = (int(sensor.number("image_size_y")), int(sensor.number("image_size_x")), 4)
    return np.frombuffer(cameras.render(sensor), np.uint8).reshape(shape)


def test_a_lane_is_dark_between_its_bright_marks(world: World, cameras: Cameras) -> None:
    seen = picture(cameras, camera(world))[60, :, :3].mean(axis=1)
    middle = float(seen[36:48].mean())
    assert middle < 100
    # The solid line at the right border, 1.75 m beside the camera.
    assert float(seen[48:84].max()) > 180


def test_the_picture_moves_with_the_car(world: World, cameras: Cameras) -> None:
    sensor = camera(world)
    before = picture(cameras, sensor).copy()
    assert np.array_equal(before, picture(cameras, sensor))
    assert sensor.parent is not None
    sensor.parent.place(Pose(18.0, -238.0, 0.0, 0.0, 3.0))
    sensor.follow()
    after = picture(cameras, sensor)
    assert np.abs(before.astype(int) - after).mean() > 2.0


@pytest.mark.parametrize(
    ("width", "height", "mount"),
    [
        (1, 1, MOUNT),
        (17, 301, MOUNT),
        (320, 240, Pose(-6.0, 0.0, 4.0, -20.0, 0.0, 0.0)),
        (200, 200, Pose(0.0, 0.0, 40.0, -90.0, 0.0, 0.0)),
        (64, 48, Pose(0.0, 0.0, 2.0, 30.0, 140.0, 25.0)),
        (64, 48, Pose(0.0, 0.0, -3.0, 0.0, 0.0, 0.0)),
    ],
)
@pytest.mark.parametrize("kind", ["rgb", "depth", "semantic_segmentation"])
def test_any_camera_gets_a_whole_picture(
    world: World, cameras: Cameras, width: int, height: int, mount: Pose, kind: str
) -> None:
    sensor = camera(world, kind, mount, width=width, height=height)
    assert len(cameras.render(sensor)) == width * height * 4


def test_depth_and_tags_know_the_ground_and_the_sky(world: World, cameras: Cameras) -> None:
    tags = picture(cameras, camera(world, "semantic_segmentation"))[:, :, 2]
    code = picture(cameras, camera(world, "depth")).astype(float)
    metres = (code[:, :, 2] + 256 * code[:, :, 1] + 65536 * code[:, :, 0]) / 16777215 * 1000
    assert tags[80, 42] in (1, 24)
    # A pixel 38.5 rows below the horizon of a camera 1.5 m up, 42 pixels of focal length.
    assert metres[80, 42] == pytest.approx(1.5 * 42 / 38.5, abs=0.01)
    assert tags[0, 42] == 11
    assert metres[0, 42] == pytest.approx(1000.0, abs=0.1)


def test_a_car_ahead_hides_the_road_behind_it(world: World, cameras: Cameras) -> None:
    sensor = camera(world, "semantic_segmentation")
    before = picture(cameras, sensor).copy()
    world.spawn("vehicle.audi.tt", {}, Pose(30.0, -238.25), 1)
    after = picture(cameras, sensor)
    assert not (before[:, :, 2] == 14).any()
    assert (after[:, :, 2] == 14).sum() > 20


def test_a_lit_lamp_has_its_colour(world: World, cameras: Cameras) -> None:
    sensor = camera(world, width=400, height=400)
    assert sensor.parent is not None
    sensor.parent.place(Pose(92.0, -118.25))
    sensor.follow()
    for light in world.of_kind(TrafficLight):
        light.state = LightState.RED
    blue, green, red = (picture(cameras, sensor)[:200, :, i].astype(int) for i in range(3))
    assert ((red > 200) & (green < 90) & (blue < 90)).any()


@pytest.mark.parametrize(
    ("weather", "effect"),
    [
        (Weather(sun_altitude=-90.0), "darker"),
        (Weather(cloudiness=100.0, precipitation=100.0, wetness=100.0), "darker"),
        (Weather(fog_density=90.0), "flatter"),
    ],
)
def test_weather_changes_the_picture(
    world: World, cameras: Cameras, weather: Weather, effect: str
) -> None:
    sensor = camera(world)
    clear = picture(cameras, sensor)[:, :, :3].astype(float)
    world.weather = weather
    changed = picture(cameras, sensor)[:, :, :3].astype(float)
    if effect == "darker":
        assert changed.mean() < 0.9 * clear.mean()
    else:
        # Above the horizon: houses and trees against the sky.
        assert changed[30:42].std() < 0.8 * clear[30:42].std()


def test_another_map_is_another_picture(world: World, cameras: Cameras) -> None:
    before = picture(cameras, camera(world)).copy()
    world.load("oval")
    sensor = world.spawn(
        "sensor.camera.rgb", {"image_size_x": "84", "image_size_y": "84"}, Pose(20.0, 1.75, 1.5), 1
    )
    assert isinstance(sensor, Sensor)
    assert np.abs(before.astype(int) - picture(cameras, sensor)).mean() > 3.0
