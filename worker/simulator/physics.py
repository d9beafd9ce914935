"""One tick of motion: cars and walkers move, then contacts part them again."""

import math
from collections.abc import Sequence

from worker.simulator.actors import Actor, Vehicle, Walker
from worker.simulator.collisions import Contact, StaticGrid, Touch, blow, pairs, touch
from worker.simulator.lights import Lights
from worker.simulator.maps import Ground
from worker.simulator.vehicle import Motion, step

# The bicycle model is integrated in steps no longer than this.
LONGEST_STEP = 0.05


def move(actors: Sequence[Actor], ground: Ground, lights: Lights, seconds: float) -> None:
    """Every vehicle and walker, `seconds` later."""
    for actor in actors:
        if isinstance(actor, Vehicle):
            if actor.has_physics:
                _drive(actor, ground, seconds)
            _look(actor, ground, lights)
        elif isinstance(actor, Walker):
            actor.walk(seconds)


def _drive(car: Vehicle, ground: Ground, seconds: float) -> None:
    motion: Motion = car.motion
    steps = max(1, math.ceil(seconds / LONGEST_STEP - 1e-9))
    for _ in range(steps):
        motion = step(motion, car.control, seconds / steps, car.blueprint.lock)
    car.settle(motion, ground.height(motion.x, motion.y, car.pose.z), seconds)


def _look(car: Vehicle, ground: Ground, lights: Lights) -> None:
    """What the road tells the car: how fast it may go, and which light it stands before."""
    pose = car.pose
    yaw = math.radians(pose.yaw)
    car.speed_limit = ground.limit(pose.x, pose.y, car.speed_limit)
    car.light = lights.before(pose.x, pose.y, math.cos(yaw), math.sin(yaw))


def collide(bodies: Sequence[Actor], fixed: StaticGrid, seconds: float) -> list[Contact]:
    """Part what overlaps, take the closing speed out of it, and tell who hit whom how hard."""
    contacts: list[Contact] = []
    for a, b in pairs(bodies):
        if (a.is_movable or b.is_movable) and (found := touch(a.box, b.box)):
            contacts.extend(_part(a, b, found, seconds))
    for body in bodies:
        if body.is_movable:
            own = body.box
            for other, box in fixed.near(own):
                if found := touch(own, box):
                    contacts.extend(_part(body, other, found, seconds))
    return contacts


def _part(a: Actor, b: Actor, found: Touch, seconds: float) -> list[Contact]:
    impulse = blow(a, b, found)
    movers = [body for body in (a, b) if body.is_movable]
    share = found.depth / len(movers)
    for body in movers:
        sign = -1.0 if body is a else 1.0
        assert isinstance(body, Vehicle)
        push = sign * impulse / body.mass
        body.jolt(
            (sign * share * found.x, sign * share * found.y),
            (push * found.x, push * found.y),
            seconds,
        )
    if impulse <= 0.0:
        return []
    x, y = impulse * found.x, impulse * found.y
    return [Contact(a, b, (-x, -y, 0.0)), Contact(b, a, (x, y, 0.0))]
