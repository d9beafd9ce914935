"""The simulated world: its map, actors, settings and clock. Knows nothing of sockets."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from worker.simulator.actors import Actor, Sensor, TrafficLight, Vehicle, Walker
from worker.simulator.blueprints import LIBRARY, NOT_SPAWNABLE, Blueprint
from worker.simulator.collisions import Contact, StaticGrid, touch
from worker.simulator.errors import ActorUnknown, SpawnRefused
from worker.simulator.lights import Lights
from worker.simulator.maps import Catalog, Map
from worker.simulator.opendrive import Signal
from worker.simulator.physics import collide, move
from worker.simulator.pose import Pose
from worker.simulator.protocol import FIRST_STREAM
from worker.simulator.scenery import Scenery, build
from worker.simulator.settings import EpisodeSettings
from worker.simulator.weather import Weather

SPECTATOR_POSE = Pose(0.0, 0.0, 50.0, -90.0)
COLLISION_AT_SPAWN = "Spawn failed because of collision at spawn position"

Kind = TypeVar("Kind", bound=Actor)


@dataclass(eq=False)
class World:
    """One server's world. Same map, seed, spawns and controls: same trajectories, bit for bit.

    Attributes:
        frame, elapsed: number of the last tick and simulated seconds up to it.
        contacts: who hit whom in the last tick.
        map_changed: the next world state tells clients to read the map again.
        state_streams: streams of the world's state, the newest last. Each episode opens one and all go
            on: the client (0.9.16) subscribes to the new episode while its old subscription may still be
            closing, and frees memory in use if both have the same number.
    """

    catalog: Catalog
    map: Map
    seed: int = 0
    frame: int = 1
    elapsed: float = 0.0
    episode: int = 0
    settings: EpisodeSettings = field(default_factory=EpisodeSettings)
    weather: Weather = field(default_factory=Weather)
    actors: dict[int, Actor] = field(default_factory=dict)
    contacts: list[Contact] = field(default_factory=list)
    map_changed: bool = True
    state_streams: list[int] = field(default_factory=list)
    scenery: Scenery = field(init=False)
    lights: Lights = field(init=False)
    spectator: Actor = field(init=False)
    _fixed: StaticGrid = field(init=False)
    _next_id: int = 1
    _next_stream: int = FIRST_STREAM

    def __post_init__(self) -> None:
        self._begin()

    def load(self, name: str) -> None:
        """Begin a new episode on a map (empty: the same one) without any of the old actors."""
        self.map = self.catalog.load(name) if name else self.map
        self._begin()

    def _begin(self) -> None:
        self.episode += 1
        self.map_changed = True
        self.state_streams.append(self._stream())
        self.actors, self.contacts = {}, []
        self.scenery = build(self.map.roads, self.seed)
        self.lights = Lights.build([(s, self._place_light(s)) for s in self.map.roads.signals])
        self._fixed = StaticGrid([*self.scenery.bodies, *self.of_kind(TrafficLight)])
        self.spectator = self._add(Actor(self._id(), LIBRARY["spectator"], SPECTATOR_POSE))

    def _place_light(self, signal: Signal) -> TrafficLight:
        blueprint, pole = LIBRARY["traffic.traffic_light"], len(self.actors)
        light = TrafficLight(self._id(), blueprint, signal.pole, sign=signal.id, pole=pole)
        return self._add(light)

    def _id(self) -> int:
        # Never reused, not even by the next episode: a client's late destroy must not hit a stranger.
        number = self._next_id
        self._next_id += 1
        return number

    def _stream(self) -> int:
        number = self._next_stream
        self._next_stream += 1
        return number

    def _add(self, actor: Kind) -> Kind:
        self.actors[actor.id] = actor
        return actor

    def of_kind(self, kind: type[Kind]) -> list[Kind]:
        return [actor for actor in self.actors.values() if isinstance(actor, kind)]

    def actor(self, number: int, kind: type[Kind]) -> Kind:
        """The actor with that id; ActorUnknown if there is none of that kind."""
        found = self.actors.get(number)
        if not isinstance(found, kind):
            raise ActorUnknown(f"actor {number} not found, or not a {kind.__name__.lower()}")
        return found

    def spawn(
        self,
        name: str,
        attributes: dict[str, str],
        pose: Pose,
        owner: int,
        parent: int = 0,
    ) -> Actor:
        """A new actor; with a parent, `pose` is relative to it.

        Raises:
            SpawnRefused: no such blueprint or parent, or something stands there already.
        """
        blueprint = LIBRARY.get(name)
        if blueprint is None or name in NOT_SPAWNABLE:
            raise SpawnRefused(f"unable to spawn '{name}': no such blueprint")
        carrier = self.actors.get(parent)
        if parent and carrier is None:
            raise SpawnRefused(f"unable to spawn '{name}': parent actor {parent} not found")
        actor = self._make(blueprint, {**blueprint.defaults, **attributes}, pose, owner)
        actor.parent, actor.relative = carrier, pose
        actor.follow()
        if actor.is_solid and self._is_occupied(actor):
            raise SpawnRefused(COLLISION_AT_SPAWN)
        return self._add(actor)

    def _make(
        self, blueprint: Blueprint, attributes: dict[str, str], pose: Pose, owner: int
    ) -> Actor:
        common = (self._id(), blueprint, pose, owner, attributes)
        if blueprint.id.startswith("vehicle."):
            car = Vehicle(*common)
            car.place(pose)
            car.speed_limit = self.map.ground.limit(pose.x, pose.y, car.speed_limit)
            return car
        if blueprint.id.startswith("walker."):
            return Walker(*common)
        if blueprint.id.startswith("sensor."):
            return self._sensor(Sensor(*common))
        return Actor(*common)

    def _sensor(self, sensor: Sensor) -> Sensor:
        if sensor.kind is not None:
            sensor.stream = self._stream()
        return sensor

    def _is_occupied(self, actor: Actor) -> bool:
        box = actor.box
        others = (other.box for other in self.actors.values() if other.is_solid)
        fixed = (other for _, other in self._fixed.near(box))
        return any(touch(box, other) for other in (*others, *fixed))

    def destroy(self, number: int) -> bool:
        """Whether there was such an actor. What was attached to it stays where it is."""
        gone = self.actors.get(number)
        if gone is None or gone is self.spectator or isinstance(gone, TrafficLight):
            return False
        del self.actors[number]
        for actor in self.actors.values():
            if actor.parent is gone:
                actor.parent = None
        return True

    def destroy_owned_by(self, owner: int) -> None:
        for number in [actor.id for actor in self.actors.values() if actor.owner == owner]:
            self.destroy(number)

    def tick(self) -> None:
        """Advance by one step of the settings' length."""
        seconds = self.settings.delta
        self.frame += 1
        self.elapsed += seconds
        self.lights.step(seconds)
        actors = list(self.actors.values())
        move(actors, self.map.ground, self.lights, seconds)
        self.contacts = collide(_solid(actors), self._fixed, seconds)
        for actor in actors:
            actor.follow()


def _solid(actors: Iterable[Actor]) -> list[Actor]:
    return [actor for actor in actors if actor.is_solid and not isinstance(actor, TrafficLight)]
