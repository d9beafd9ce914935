"""Building and closing the driving task: what the server must have, what is left behind."""

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import carla
import numpy as np
import pytest

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config, parse_leniently
from tests.environment.conftest import start_simulator, stop
from worker.environment import SimulatorAddress, SimulatorLost, make_environment
from worker.environment.carla_env import DrivingEnv
from worker.environment.observation import VECTOR_SCALE
from worker.environment.starts import HELD_OUT, SECOND_TOWN, Start
from worker.environment.vehicle import Vehicle


def test_a_decision_holds_its_action_for_its_ticks(simulator: SimulatorAddress) -> None:
    """The same control for the same ticks: five decisions of two ticks drive as ten of one."""
    ends = []
    for ticks in (1, 2):
        driving = DrivingEnv(parse_config("quickstart", {"ticks_per_decision": ticks}), simulator)
        driving.reset(seed=0, options={"start": Start(distance=20.0, speed=5.0)})
        rewards = [driving.step(np.array([0.02, 0.5], np.float32))[1] for _ in range(10 // ticks)]
        ends.append((driving.ego.x, driving.ego.y, pytest.approx(math.fsum(rewards))))
        driving.close()
    assert ends[0] == ends[1]


def test_scaled_observations_lie_in_their_space(simulator: SimulatorAddress) -> None:
    scaled = make_environment(parse_config("quickstart"), simulator)
    observation, _ = scaled.reset(seed=1)
    plain, _ = scaled.unwrapped.reset(seed=1)
    assert scaled.observation_space.contains(observation)
    assert np.array_equal(observation["vector"], plain["vector"] * VECTOR_SCALE)
    scaled.close()


def test_a_policy_that_learnt_among_vehicles_is_told_of_none_alone_on_the_road(
    simulator: SimulatorAddress,
) -> None:
    alone = make_environment(parse_leniently("quickstart", {"vehicle_ahead": True}), simulator)
    observation, _ = alone.reset(seed=1)
    assert alone.observation_space.contains(observation)
    assert observation["ahead"].tolist() == [0.0, 0.0]
    alone.close()


def test_spawn_points_name_routes_on_any_map(simulator: SimulatorAddress) -> None:
    config = parse_config("quickstart", {"routes": ["0-30"]})
    driving = DrivingEnv(config, simulator)
    points = driving.connection.map.get_spawn_points()
    first, last = points[0].location, points[30].location
    route = driving.routes[0]
    assert (route.x[0], route.y[0]) == pytest.approx((first.x, first.y), abs=0.6)
    assert (route.x[-1], route.y[-1]) == pytest.approx((last.x, last.y), abs=0.6)
    driving.close()


@pytest.mark.parametrize(
    ("overrides", "remedy"),
    [
        ({"routes": ["0-99999"]}, "has spawn points 0 to"),
        ({"town": "Atlantis"}, "no map 'Atlantis': choose"),
    ],
)
def test_what_the_server_does_not_have_is_refused(
    simulator: SimulatorAddress, overrides: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(InvalidConfig, match=remedy):
        DrivingEnv(parse_config("quickstart", overrides), simulator)
    assert_empty_and_free_running(simulator)


def test_weather_is_really_applied(simulator: SimulatorAddress) -> None:
    driving = DrivingEnv(parse_config("quickstart", {"weather": "HardRainNoon"}), simulator)
    assert driving.connection.world.get_weather().precipitation == 100.0
    driving.close()


def assert_empty_and_free_running(simulator: SimulatorAddress) -> None:
    client = carla.Client(simulator.host, simulator.port, 1)
    client.set_timeout(5.0)
    world = client.get_world()
    assert not world.get_settings().synchronous_mode
    assert len(world.get_actors().filter("vehicle.*")) == 0
    assert len(world.get_actors().filter("sensor.*")) == 0


def test_closing_leaves_an_empty_free_running_world_however_often(
    simulator: SimulatorAddress,
) -> None:
    driving = DrivingEnv(parse_config("quickstart"), simulator)
    driving.reset(seed=0)
    driving.close()
    driving.close()
    assert_empty_and_free_running(simulator)


def test_an_ego_that_someone_else_removed_is_a_lost_simulator(simulator: SimulatorAddress) -> None:
    """Two environments in one world: the second clears the first away, which must notice."""
    first = DrivingEnv(parse_config("quickstart"), simulator)
    first.reset(seed=0)
    second = DrivingEnv(parse_config("quickstart"), simulator)
    with pytest.raises(SimulatorLost, match="vanished from the world"):
        first.reset(seed=0)
    second.reset(seed=0)
    first.close()
    second.close()


@pytest.fixture
def reticent() -> Iterator[SimulatorAddress]:
    process, address = start_simulator(program="tests.environment.reticent")
    yield address
    stop(process)


def test_what_a_dead_client_left_is_cleared_from_a_world_that_greets_no_one(
    reticent: SimulatorAddress,
) -> None:
    left_behind = DrivingEnv(parse_config("quickstart"), reticent)
    driving = DrivingEnv(parse_config("quickstart"), reticent)
    vehicles = driving.connection.world.get_actors().filter("vehicle.*")
    assert [vehicle.id for vehicle in vehicles] == [driving.ego.actor.id]
    with suppress(SimulatorLost):
        left_behind.close()
    driving.close()


def test_where_a_vehicle_stands_no_other_can_be_spawned(simulator: SimulatorAddress) -> None:
    driving = DrivingEnv(parse_config("quickstart"), simulator)
    driving.reset(seed=0, options={"start": Start(distance=20.0)})
    with pytest.raises(SimulatorLost, match=r"no vehicle could be spawned at \(.*: "):
        Vehicle(driving.connection.world, driving.route.pose(20.0))
    driving.close()


def test_held_out_routes_are_driven_only_when_asked_for(simulator: SimulatorAddress) -> None:
    config = parse_config("quickstart", {"held_out_routes": ["straight", "left"]})
    driving = DrivingEnv(config, simulator)
    trained = {driving.reset(seed=seed)[1]["route"] for seed in range(20)}
    held_out = [
        driving.reset(seed=0, options={"evaluation": True, "route": n, "routes": HELD_OUT})[1]
        for n in range(3)
    ]
    driving.close()
    assert trained == {"right"}
    assert [info["route"] for info in held_out] == ["straight", "left", "straight"]


def test_several_routes_are_drawn_from_for_training(simulator: SimulatorAddress) -> None:
    driving = DrivingEnv(parse_config("quickstart", {"routes": ["right", "left"]}), simulator)
    drawn = {driving.reset(seed=seed)[1]["route"] for seed in range(20)}
    driving.close()
    assert drawn == {"right", "left"}


def test_how_long_a_server_has_run_does_not_show_in_an_episode(simulator: SimulatorAddress) -> None:
    driving = DrivingEnv(parse_config("vision-small"), simulator)

    def drive() -> tuple[bytes, list[object]]:
        driving.reset(seed=3)
        pictures = [driving.step(np.array([0.0, 0.4]))[0]["image"] for _ in range(20)]
        lights = driving.connection.world.get_actors().filter("traffic.traffic_light")
        return np.stack(pictures).tobytes(), [light.get_state() for light in lights]

    before = drive()
    for _ in range(250):  # past the longest green
        driving.connection.tick()
    assert drive() == before
    driving.close()


def test_a_trip_to_the_second_town_leaves_the_first_as_it_was(simulator: SimulatorAddress) -> None:
    overrides = {"second_town": "oval", "second_town_routes": ["0-6"]}
    driving = DrivingEnv(parse_config("quickstart", overrides), simulator)

    def drive() -> list[tuple[float, float]]:
        driving.reset(seed=3)
        return [driving.step(np.array([0.0, 0.4]))[4]["position"] for _ in range(20)]

    before = drive()
    driving.travel(abroad=True)
    _, info = driving.reset(seed=0, options={"evaluation": True, "routes": SECOND_TOWN})
    assert (info["route"], driving.connection.map.name) == ("0-6", "Carla/Maps/oval")
    driving.travel(abroad=False)
    after = drive()
    driving.close()
    assert after == before
    assert_empty_and_free_running(simulator)


def test_a_second_town_the_server_does_not_have_is_refused(simulator: SimulatorAddress) -> None:
    overrides = {"second_town": "Atlantis", "second_town_routes": ["0-6"]}
    with pytest.raises(InvalidConfig, match="no map 'Atlantis'"):
        DrivingEnv(parse_config("quickstart", overrides), simulator)
    assert_empty_and_free_running(simulator)
