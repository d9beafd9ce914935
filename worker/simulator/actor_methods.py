"""Procedures about actors: spawning, reading, moving and controlling them."""

import math

from worker.simulator.actors import Actor, Vehicle, Walker
from worker.simulator.errors import ActorUnknown
from worker.simulator.methods import Context, value, void
from worker.simulator.pose import Pose
from worker.simulator.protocol import Wire, numbers
from worker.simulator.vehicle import MASS, Control

FASTEST = 100.0
LARGEST_IMAGE, WIDEST_VIEW = 4096, 170.0
UNKNOWN_SIZE = [2.4, 1.0, 0.8]
ATTRIBUTE_LIMITS = {
    "image_size_x": (1, LARGEST_IMAGE),
    "image_size_y": (1, LARGEST_IMAGE),
    "fov": (1.0, WIDEST_VIEW),
    "sensor_tick": (0.0, 3600.0),
    "channels": (1, 256),
    "points_per_second": (1, 1_000_000),
    "rotation_frequency": (0.1, 1000.0),
    "range": (0.1, 500.0),
    "upper_fov": (-90.0, 90.0),
    "lower_fov": (-90.0, 90.0),
    "distance": (0.1, 500.0),
    "hit_radius": (0.0, 50.0),
}


def spawn(
    context: Context, caller: int, description: Wire, transform: Wire, parent: int = 0
) -> Actor:
    """A new actor as a request describes it."""
    attributes = {str(name): str(text) for name, _, text in description[2]}
    for name, (low, high) in ATTRIBUTE_LIMITS.items():
        if name in attributes and not low <= float(attributes[name]) <= high:
            raise ValueError(f"{name}={attributes[name]} is not within {low} to {high}")
    name, pose = str(description[1]), Pose.read(transform)
    actor = context.world.spawn(name, attributes, pose, caller, parent)
    context.prepare(actor)
    return actor


@value
def spawn_actor(context: Context, caller: int, description: Wire, transform: Wire) -> Wire:
    return context.wire(spawn(context, caller, description, transform))


@value
def spawn_actor_with_parent(
    context: Context,
    caller: int,
    description: Wire,
    transform: Wire,
    parent: int,
    attachment: int = 0,
    socket: str = "",
) -> Wire:
    return context.wire(spawn(context, caller, description, transform, parent))


@value
def destroy_actor(context: Context, caller: int, number: int) -> Wire:
    if not context.world.destroy(number):
        raise ActorUnknown(f"unable to destroy actor {number}: not found")
    return True


@value
def get_actors_by_id(context: Context, caller: int, wanted: list[int]) -> Wire:
    actors = context.world.actors
    return [context.wire(actors[number]) for number in wanted if number in actors]


@value
def get_actor_bounding_box(context: Context, caller: int, number: int) -> Wire:
    # Never an error: the client's Traffic Manager asks for cars that may just have gone, on a thread
    # where an error ends the whole client process.
    found = context.world.actors.get(number)
    return found.bounding_box() if found else [[0.0, 0.0, 0.8], UNKNOWN_SIZE, [0.0] * 3, number]


@void
def apply_control_to_vehicle(context: Context, caller: int, number: int, control: Wire) -> None:
    throttle, steer, brake = numbers(control, 3, "control")
    hand_brake, reverse, manual, gear = control[3:7]
    context.world.actor(number, Vehicle).control = Control(
        min(1.0, max(0.0, throttle)),
        min(1.0, max(-1.0, steer)),
        min(1.0, max(0.0, brake)),
        bool(hand_brake),
        bool(reverse),
        bool(manual),
        max(-1, min(9, int(gear))),
    )


@void
def apply_control_to_walker(context: Context, caller: int, number: int, control: Wire) -> None:
    direction, speed = numbers(control[0], 3, "direction"), numbers([control[1]], 1, "speed")[0]
    walker = context.world.actor(number, Walker)
    walker.direction = (direction[0], direction[1], direction[2])
    walker.speed = max(0.0, min(FASTEST, speed))


@void
def set_actor_transform(context: Context, caller: int, number: int, transform: Wire) -> None:
    _place(context, context.world.actor(number, Actor), Pose.read(transform))


@void
def set_actor_location(context: Context, caller: int, number: int, location: Wire) -> None:
    actor = context.world.actor(number, Actor)
    x, y, z = numbers(location, 3, "location")
    own = actor.pose if actor.parent is None else actor.relative
    _place(context, actor, own._replace(x=x, y=y, z=z))


def _place(context: Context, actor: Actor, pose: Pose) -> None:
    if actor.parent is None:
        actor.place(pose)
    else:
        actor.relative = pose
        actor.follow()


@void
def set_actor_target_velocity(context: Context, caller: int, number: int, velocity: Wire) -> None:
    x, y, _ = (max(-FASTEST, min(FASTEST, v)) for v in numbers(velocity, 3, "velocity"))
    actor = context.world.actor(number, Actor)
    if isinstance(actor, Vehicle):
        actor.push(x, y)


@void
def set_actor_target_angular_velocity(
    context: Context, caller: int, number: int, velocity: Wire
) -> None:
    """Checked and without effect: a kinematic car turns by its wheels alone."""
    numbers(velocity, 3, "angular velocity")
    context.world.actor(number, Actor)


@void
def set_actor_simulate_physics(context: Context, caller: int, number: int, enabled: bool) -> None:
    # Never an error, for the Traffic Manager's sake, as in `get_actor_bounding_box`.
    if isinstance(car := context.world.actors.get(number), Vehicle):
        car.has_physics = bool(enabled)


@void
def set_actor_autopilot(context: Context, caller: int, number: int, enabled: bool) -> None:
    """The client registers the car with its own Traffic Manager after this answer."""


@value
def get_physics_control(context: Context, caller: int, number: int) -> Wire:
    lock = math.degrees(context.world.actor(number, Vehicle).blueprint.lock)
    front = [3.5, 0.25, lock, 36.0, 1500.0, 0.0, 2.0, 17.0, 1000.0, [0.0, 0.0, 0.0]]
    rear = [3.5, 0.25, 0.0, 36.0, 1500.0, 3000.0, 2.0, 17.0, 1000.0, [0.0, 0.0, 0.0]]
    return [
        [[0.0, 400.0], [5000.0, 400.0]],
        15000.0,
        1.0,
        0.15,
        2.0,
        0.35,
        True,
        0.0,
        10.0,
        4.0,
        [[3.0, 0.5, 0.65]],
        MASS,
        0.15,
        [0.45, 0.0, -0.3],
        [[0.0, 1.0], [18.0, 1.0], [64.8, 0.35], [120.0, 0.35]],
        [front, front, rear, rear],
        False,
    ]


@value
def get_vehicle_light_state(context: Context, caller: int, number: int) -> Wire:
    return [context.world.actor(number, Vehicle).lights]


@value
def get_vehicle_light_states(context: Context, caller: int) -> Wire:
    return [[car.id, car.lights] for car in context.world.of_kind(Vehicle)]


@void
def set_vehicle_light_state(context: Context, caller: int, number: int, state: Wire) -> None:
    flags = int(state[0] if isinstance(state, list) else state)
    context.world.actor(number, Vehicle).lights = flags & 0xFFFFFFFF
