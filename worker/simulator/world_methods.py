"""Procedures about the episode: map, settings, ticks, weather, traffic lights and traffic managers."""

from worker.simulator.actors import TrafficLight
from worker.simulator.blueprints import definitions
from worker.simulator.lights import Group
from worker.simulator.maps import GENERATED
from worker.simulator.methods import Context, value, void
from worker.simulator.protocol import VERSION, LightState, Wire, numbers
from worker.simulator.settings import EpisodeSettings
from worker.simulator.weather import Weather

GRAVITY = 9.81
ANY_TAG = 255


@value
def version(context: Context, caller: int) -> Wire:
    return VERSION


@value
def get_available_maps(context: Context, caller: int) -> Wire:
    return [f"/Game/Carla/Maps/{name}" for name in context.world.catalog.names]


@void
def load_new_episode(
    context: Context, caller: int, name: str, reset_settings: bool = True, layers: int = 0
) -> None:
    context.world.load(name)
    if reset_settings:
        context.apply(EpisodeSettings(), caller)


@void
def copy_opendrive_to_file(context: Context, caller: int, text: str, parameters: Wire) -> None:
    context.world.catalog.add(GENERATED, text)


@value
def get_episode_info(context: Context, caller: int) -> Wire:
    return [context.world.episode, [context.token(context.world.state_streams[-1])]]


@value
def get_map_info(context: Context, caller: int) -> Wire:
    loaded = context.world.map
    return [f"Carla/Maps/{loaded.name}", [point.wire() for point in loaded.spawn_points]]


@value
def get_map_data(context: Context, caller: int) -> Wire:
    return context.world.map.text


@value
def get_required_files(context: Context, caller: int, folder: str = "") -> Wire:
    return []


@value
def get_navigation_mesh(context: Context, caller: int) -> Wire:
    return b""


@value
def get_episode_settings(context: Context, caller: int) -> Wire:
    return context.world.settings.wire()


@value
def set_episode_settings(context: Context, caller: int, settings: Wire) -> Wire:
    context.apply(EpisodeSettings.read(settings), caller)
    return context.world.frame


@value
def tick_cue(context: Context, caller: int) -> Wire:
    context.tick()
    return context.world.frame


@value
def get_actor_definitions(context: Context, caller: int) -> Wire:
    return definitions()


@value
def get_spectator(context: Context, caller: int) -> Wire:
    return context.wire(context.world.spectator)


@value
def get_sensor_token(context: Context, caller: int, stream: int) -> Wire:
    return [context.token(stream)]


@value
def get_weather_parameters(context: Context, caller: int) -> Wire:
    return context.world.weather.wire()


@void
def set_weather_parameters(context: Context, caller: int, weather: Wire) -> None:
    context.world.weather = Weather.read(weather)


@value
def get_imui_gravity(context: Context, caller: int) -> Wire:
    return GRAVITY


@value
def get_all_level_BBs(context: Context, caller: int, tag: int = ANY_TAG) -> Wire:
    bodies = context.world.scenery.bodies
    chosen = [body for body in bodies if tag in (ANY_TAG, body.blueprint.tag)]
    return [
        [[b.pose.x, b.pose.y, b.size.height], list(b.size), [0.0, b.pose.yaw, 0.0], 0]
        for b in chosen
    ]


@value
def get_environment_objects(context: Context, caller: int, tag: int = ANY_TAG) -> Wire:
    return []


@value
def query_lights_state(context: Context, caller: int, client: str = "") -> Wire:
    return []


@void
def update_lights_state(
    context: Context, caller: int, client: str, lights: Wire, discard: bool = False
) -> None:
    """Street lamps: the light simulator has none."""


def _group(context: Context, number: int) -> Group | None:
    return context.world.lights.group_of(context.world.actor(number, TrafficLight))


@value
def get_group_traffic_lights(context: Context, caller: int, number: int) -> Wire:
    group = _group(context, number)
    return [light.id for light in group.lights] if group else []


@void
def set_traffic_light_state(context: Context, caller: int, number: int, state: int) -> None:
    context.world.actor(number, TrafficLight).state = LightState(state)


@void
def set_traffic_light_green_time(context: Context, caller: int, number: int, time: float) -> None:
    context.world.actor(number, TrafficLight).green = _seconds(time)


@void
def set_traffic_light_yellow_time(context: Context, caller: int, number: int, time: float) -> None:
    context.world.actor(number, TrafficLight).yellow = _seconds(time)


@void
def set_traffic_light_red_time(context: Context, caller: int, number: int, time: float) -> None:
    context.world.actor(number, TrafficLight).red = _seconds(time)


def _seconds(time: float) -> float:
    (seconds,) = numbers([time], 1, "seconds")
    if seconds < 0.0:
        raise ValueError(f"{seconds:g} seconds is negative")
    return seconds


@void
def freeze_traffic_light(context: Context, caller: int, number: int, frozen: bool) -> None:
    """One light of a junction stops all of them, as in CARLA: they share a cycle."""
    group = _group(context, number)
    for light in group.lights if group else ():
        light.frozen = bool(frozen)


@void
def freeze_all_traffic_lights(context: Context, caller: int, frozen: bool) -> None:
    for light in context.world.of_kind(TrafficLight):
        light.frozen = bool(frozen)


@void
def reset_traffic_light_group(context: Context, caller: int, number: int) -> None:
    if group := _group(context, number):
        group.restart()


@void
def reset_all_traffic_lights(context: Context, caller: int) -> None:
    context.world.lights.restart()


@value
def is_traffic_manager_running(context: Context, caller: int, port: int) -> Wire:
    return port in context.traffic_managers


@value
def get_traffic_manager_running(context: Context, caller: int, port: int) -> Wire:
    host, _ = context.traffic_managers.get(port, ("", 0))
    return [host, port]


@value
def add_traffic_manager_running(context: Context, caller: int, address: Wire) -> Wire:
    host, port = str(address[0]), int(address[1])
    if port in context.traffic_managers:
        return False
    context.traffic_managers[port] = (host, caller)
    return True


@value
def destroy_traffic_manager(context: Context, caller: int, port: int) -> Wire:
    return context.traffic_managers.pop(port, None) is not None


@value
def is_sensor_enabled_for_ros(context: Context, caller: int, stream: int) -> Wire:
    return False
