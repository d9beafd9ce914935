"""What can be spawned: blueprints with CARLA's ids and attributes, and the sizes of the bodies behind them."""

from dataclasses import dataclass
from typing import NamedTuple

from worker.simulator.protocol import Attribute, Stream, Wire
from worker.simulator.vehicle import LOCK, WIDE_LOCK


class Size(NamedTuple):
    """Half length, half width, half height in metres."""

    length: float
    width: float
    height: float


NO_BODY = Size(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Field:
    """One attribute of a blueprint."""

    name: str
    kind: Attribute
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True

    def wire(self) -> Wire:
        return [
            self.name,
            int(self.kind),
            self.value,
            list(self.recommended or [self.value]),
            self.modifiable,
            bool(self.recommended) and self.kind is Attribute.BOOL,
        ]


@dataclass(frozen=True)
class Blueprint:
    """One kind of actor.

    Attributes:
        stream: what its sensor sends, None for everything that is not one.
        lock: how far a car's front wheels turn, in radians.
    """

    id: str
    fields: tuple[Field, ...] = ()
    size: Size = NO_BODY
    tag: int = 0
    stream: Stream | None = None
    lock: float = WIDE_LOCK

    @property
    def defaults(self) -> dict[str, str]:
        return {field.name: field.value for field in self.fields}

    def wire(self, uid: int) -> Wire:
        return [uid, self.id, ",".join(self.id.split(".")), [field.wire() for field in self.fields]]


# The car that policies drive.
TRAINED = "vehicle.tesla.model3"
# Half sizes of the bodies in CARLA 0.9.16, rounded to centimetres; colours its recommended ones.
_CARS = {
    "vehicle.tesla.model3": (Size(2.40, 1.08, 0.74), "180,20,20"),
    "vehicle.audi.a2": (Size(1.85, 0.89, 0.77), "173,0,0"),
    "vehicle.audi.tt": (Size(2.09, 1.00, 0.69), "211,142,0"),
    "vehicle.bmw.grandtourer": (Size(2.31, 1.12, 0.83), "0,0,150"),
    "vehicle.chevrolet.impala": (Size(2.68, 1.02, 0.71), "65,95,125"),
    "vehicle.citroen.c3": (Size(1.99, 0.93, 0.81), "107,162,255"),
    "vehicle.jeep.wrangler_rubicon": (Size(1.93, 0.95, 0.94), "84,93,45"),
    "vehicle.lincoln.mkz_2020": (Size(2.45, 1.06, 0.75), "17,37,103"),
    "vehicle.mercedes.coupe_2020": (Size(2.34, 1.08, 0.72), "187,187,192"),
    "vehicle.mini.cooper_s": (Size(1.90, 0.99, 0.74), "137,0,0"),
    "vehicle.nissan.patrol_2021": (Size(2.78, 1.08, 1.02), "90,90,95"),
    "vehicle.seat.leon": (Size(2.10, 0.91, 0.74), "140,60,10"),
    "vehicle.toyota.prius": (Size(2.26, 1.00, 0.76), "230,230,230"),
    "vehicle.volkswagen.t2_2021": (Size(2.22, 0.89, 0.99), "60,130,130"),
}
_TRUCKS = {"vehicle.carlamotors.firetruck": (Size(4.23, 1.45, 1.91), "200,20,15")}
_CAR_TAG, _TRUCK_TAG, _WALKER_TAG, _STATIC_TAG = 14, 15, 12, 20


def _vehicle(name: str, size: Size, color: str, base_type: str, tag: int) -> Blueprint:
    kind = Attribute
    fields = (
        Field("number_of_wheels", kind.INT, "4", modifiable=False),
        Field("object_type", kind.STRING, "", modifiable=False),
        Field("base_type", kind.STRING, base_type, modifiable=False),
        Field("generation", kind.INT, "2", modifiable=False),
        Field("special_type", kind.STRING, "", modifiable=False),
        Field("has_lights", kind.BOOL, "true", modifiable=False),
        Field("has_dynamic_doors", kind.BOOL, "false", modifiable=False),
        Field("color", kind.COLOR, color, (color, "20,20,180", "230,230,230", "25,25,28")),
        Field("sticky_control", kind.BOOL, "true", ("true", "false")),
        Field("terramechanics", kind.BOOL, "false", ("true", "false")),
        Field("role_name", kind.STRING, "autopilot", ("autopilot", "scenario", "hero")),
    )
    return Blueprint(name, fields, size, tag, lock=LOCK if name == TRAINED else WIDE_LOCK)


def _sensor(name: str, stream: Stream | None, **values: float) -> Blueprint:
    fields = [Field("role_name", Attribute.STRING, "")]
    if stream is not None and stream is not Stream.COLLISION:
        fields.append(Field("sensor_tick", Attribute.FLOAT, "0.0"))
    for key, value in values.items():
        kind = Attribute.INT if isinstance(value, int) else Attribute.FLOAT
        fields.append(Field(key, kind, str(value)))
    return Blueprint(name, tuple(fields), Size(0.1, 0.1, 0.1), 0, stream)


def _camera(name: str, stream: Stream) -> Blueprint:
    return _sensor(f"sensor.camera.{name}", stream, image_size_x=800, image_size_y=600, fov=90.0)


def _imu() -> Blueprint:
    noise = {
        f"noise_{what}_{axis}": 0.0
        for what in ("accel_stddev", "gyro_stddev", "gyro_bias")
        for axis in "xyz"
    }
    return _sensor("sensor.other.imu", Stream.IMU, noise_seed=0, **noise)


def _gnss() -> Blueprint:
    axes = ("alt", "lat", "lon")
    noise = {f"noise_{axis}_{what}": 0.0 for axis in axes for what in ("bias", "stddev")}
    return _sensor("sensor.other.gnss", Stream.GNSS, noise_seed=0, **noise)


def _walker(number: int) -> Blueprint:
    fields = (
        Field("age", Attribute.STRING, "adult", modifiable=False),
        Field("is_invincible", Attribute.BOOL, "false", ("true", "false")),
        Field("speed", Attribute.FLOAT, "1.4", ("0.0", "1.4", "2.8")),
        Field("role_name", Attribute.STRING, "pedestrian"),
    )
    name = f"walker.pedestrian.{number:04d}"
    return Blueprint(name, fields, Size(0.19, 0.19, 0.93), _WALKER_TAG)


def _prop(name: str, size: Size) -> Blueprint:
    field = Field("role_name", Attribute.STRING, "prop")
    return Blueprint(f"static.prop.{name}", (field,), size, _STATIC_TAG)


def _library() -> list[Blueprint]:
    return [
        *(_vehicle(name, *body, "car", _CAR_TAG) for name, body in _CARS.items()),
        *(_vehicle(name, *body, "truck", _TRUCK_TAG) for name, body in _TRUCKS.items()),
        *(_walker(number) for number in range(1, 5)),
        _camera("rgb", Stream.RGB),
        _camera("depth", Stream.DEPTH),
        _camera("semantic_segmentation", Stream.SEMANTIC),
        _sensor("sensor.other.collision", Stream.COLLISION),
        _sensor("sensor.other.lane_invasion", None),
        _sensor("sensor.other.obstacle", Stream.OBSTACLE, distance=5.0, hit_radius=0.5),
        _imu(),
        _gnss(),
        _sensor(
            "sensor.lidar.ray_cast",
            Stream.LIDAR,
            channels=32,
            range=10.0,
            points_per_second=56000,
            rotation_frequency=10.0,
            upper_fov=10.0,
            lower_fov=-30.0,
        ),
        _prop("streetbarrier", Size(0.60, 0.20, 0.52)),
        _prop("trafficcone01", Size(0.20, 0.20, 0.35)),
        _prop("container", Size(2.60, 1.05, 1.10)),
        Blueprint("traffic.traffic_light", (), Size(0.2, 0.2, 2.5), 7),
        Blueprint("spectator"),
    ]


LIBRARY = {blueprint.id: blueprint for blueprint in _library()}
UIDS = {name: number for number, name in enumerate(LIBRARY, start=1)}
# Placed by the map itself, never by a client.
NOT_SPAWNABLE = ("traffic.traffic_light", "spectator")


def definitions() -> Wire:
    """The blueprint library as `get_actor_definitions` sends it."""
    return [
        blueprint.wire(UIDS[blueprint.id])
        for blueprint in LIBRARY.values()
        if blueprint.id not in NOT_SPAWNABLE
    ]
