"""The world without sockets: actors, contacts, traffic lights."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.simulator.actors import TrafficLight, Vehicle
from worker.simulator.collisions import touch
from worker.simulator.errors import ActorUnknown, SpawnRefused
from worker.simulator.pose import Box, Pose
from worker.simulator.protocol import LightState
from worker.simulator.vehicle import Control
from worker.simulator.world import World

CAR = "vehicle.tesla.model3"
ROAD = Pose(16.0, -238.25)

places = st.floats(-6.0, 6.0)
sizes = st.floats(0.2, 3.0)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    yaw = draw(st.floats(-math.pi, math.pi))
    return Box(draw(places), draw(places), math.cos(yaw), math.sin(yaw), draw(sizes), draw(sizes))


def corners(box: Box) -> list[tuple[float, float]]:
    return [
        (
            box.x + u * box.length * box.cosine - v * box.width * box.sine,
            box.y + u * box.length * box.sine + v * box.width * box.cosine,
        )
        for u in (-1, 1)
        for v in (-1, 1)
    ]


def holds(box: Box, x: float, y: float, margin: float = 0.0) -> bool:
    dx, dy = x - box.x, y - box.y
    along = dx * box.cosine + dy * box.sine
    across = dy * box.cosine - dx * box.sine
    return abs(along) < box.length - margin and abs(across) < box.width - margin


@given(boxes(), boxes())
def test_boxes_touch_both_ways_or_not_at_all(a: Box, b: Box) -> None:
    first, second = touch(a, b), touch(b, a)
    assert (first is None) == (second is None)
    if any(holds(b, *corner, margin=1e-6) for corner in corners(a)):
        assert first is not None


@given(boxes(), boxes())
def test_parting_boxes_along_their_contact_parts_them(a: Box, b: Box) -> None:
    if found := touch(a, b):
        depth = found.depth + 1e-6
        assert touch(a, b._replace(x=b.x + depth * found.x, y=b.y + depth * found.y)) is None


def car(world: World, pose: Pose = ROAD) -> Vehicle:
    spawned = world.spawn(CAR, {}, pose, 1)
    assert isinstance(spawned, Vehicle)
    return spawned


def test_two_worlds_with_the_same_controls_are_equal_bit_for_bit(
    town_world: Callable[[], World],
) -> None:
    traces = []
    for _ in range(2):
        world = town_world()
        cars = [car(world, point) for point in world.map.spawn_points[5:45:4]]
        trace = []
        for tick in range(400):
            for number, each in enumerate(cars):
                steer = 0.3 * math.sin(tick / 20 + number)
                each.control = Control(throttle=0.6, steer=steer)
            world.tick()
            trace.append([each.motion for each in cars])
        traces.append(trace)
    assert traces[0] == traces[1]


def test_a_place_that_is_taken_is_refused(world: World) -> None:
    car(world)
    with pytest.raises(SpawnRefused, match="collision"):
        car(world, ROAD._replace(x=ROAD.x + 3.0))
    house = world.scenery.bodies[0].pose
    with pytest.raises(SpawnRefused, match="collision"):
        car(world, house)


def test_a_blow_keeps_momentum_and_ends_the_closing(world: World) -> None:
    behind, ahead = car(world), car(world, ROAD._replace(x=24.0))
    behind.push(10.0, 0.0)
    events = []
    for _ in range(20):
        world.tick()
        events += [(contact.actor, contact.impulse[0]) for contact in world.contacts]
    assert {actor for actor, _ in events} == {behind, ahead}
    assert events[0][1] == -events[1][1]
    assert behind.motion.speed == pytest.approx(ahead.motion.speed, abs=0.2)
    assert behind.motion.speed + ahead.motion.speed == pytest.approx(10.0, abs=0.5)
    assert touch(behind.box, ahead.box) is None


def test_a_car_slides_along_a_wall_it_grazes_and_never_enters_it(world: World) -> None:
    house = world.scenery.bodies[0]
    side = house.pose.y - house.size.width - 3.0
    start = Pose(house.pose.x - house.size.length, side, 0.0, 0.0, 20.0)
    grazing = car(world, start)
    grazing.push(8.0 * math.cos(math.radians(20)), 8.0 * math.sin(math.radians(20)))
    for _ in range(40):
        world.tick()
        found = touch(grazing.box, house.box)
        assert found is None or found.depth < 1e-6


def test_what_a_client_spawned_goes_with_it(world: World) -> None:
    mine, other = car(world), world.spawn(CAR, {}, ROAD._replace(x=40.0), 2)
    camera = world.spawn("sensor.camera.rgb", {}, Pose(2.0, 0.0, 1.5), 2, mine.id)
    world.destroy_owned_by(1)
    assert mine.id not in world.actors
    assert camera.parent is None
    assert other.id in world.actors
    with pytest.raises(ActorUnknown, match=str(mine.id)):
        world.actor(mine.id, Vehicle)


def test_what_belongs_to_the_map_cannot_be_destroyed(world: World) -> None:
    assert not world.destroy(world.spectator.id)
    assert not world.destroy(world.of_kind(TrafficLight)[0].id)


def test_ids_are_never_used_again(world: World) -> None:
    first = car(world).id
    world.load("oval")
    assert min(world.actors) > first


def test_a_junction_shows_one_green_and_none_while_it_clears(world: World) -> None:
    group = world.lights.groups[0]
    greens = []
    for _ in range(round(60.0 / 0.05)):
        world.tick()
        shown = [light.state for light in group.lights]
        assert sum(state is not LightState.RED for state in shown) <= 1
        greens.append(next((i for i, s in enumerate(shown) if s is LightState.GREEN), None))
    assert {0, 1, 2, None} <= set(greens)


def test_a_car_is_told_of_the_light_before_it_alone(world: World) -> None:
    waiting = car(world, Pose(98.0, -118.25))
    beyond = car(world, Pose(120.0, -118.25))
    oncoming = car(world, Pose(98.0, -121.75, 0.0, 0.0, 180.0))
    world.tick()
    assert waiting.light is not None
    assert beyond.light is None
    assert oncoming.light is None
