"""`apply_batch`: many commands in one call, each with its own answer."""

from collections.abc import Callable

from worker.simulator import actor_methods, world_methods
from worker.simulator.errors import MALFORMED, SimulatorError
from worker.simulator.methods import Context, bare
from worker.simulator.protocol import Command, Wire

FUTURE_ACTOR = 0


def _autopilot(context: Context, caller: int, number: int, enabled: bool) -> None:
    """The client hands the car to its own Traffic Manager after the answer."""


def _destroy(context: Context, caller: int, number: int) -> None:
    actor_methods.destroy_actor(context, caller, number)


_COMMANDS: dict[Command, Callable[..., object]] = {
    Command.DESTROY: _destroy,
    Command.VEHICLE_CONTROL: actor_methods.apply_control_to_vehicle,
    Command.WALKER_CONTROL: actor_methods.apply_control_to_walker,
    Command.TRANSFORM: actor_methods.set_actor_transform,
    Command.LOCATION: actor_methods.set_actor_location,
    Command.TARGET_VELOCITY: actor_methods.set_actor_target_velocity,
    Command.TARGET_ANGULAR_VELOCITY: actor_methods.set_actor_target_angular_velocity,
    Command.SIMULATE_PHYSICS: actor_methods.set_actor_simulate_physics,
    Command.AUTOPILOT: _autopilot,
    Command.VEHICLE_LIGHTS: actor_methods.set_vehicle_light_state,
    Command.TRAFFIC_LIGHT_STATE: world_methods.set_traffic_light_state,
}


@bare
def apply_batch(context: Context, caller: int, commands: Wire, do_tick: bool = False) -> Wire:
    """One answer per command, in order; a command that fails does not stop the next."""
    answers = [_answer(context, caller, command) for command in commands]
    if do_tick:
        context.tick()
    return answers


def _answer(context: Context, caller: int, command: Wire) -> Wire:
    try:
        return [[1, _execute(context, caller, command)]]
    except SimulatorError as error:
        return [[0, [str(error)]]]
    except MALFORMED as error:
        return [[0, [f"malformed command ({error})"]]]


def _execute(context: Context, caller: int, command: Wire, future: int = FUTURE_ACTOR) -> int:
    """The id of the actor the command was for."""
    index, arguments = command[0]
    if index == Command.SPAWN:
        return _spawn(context, caller, arguments)
    kind = Command(index)
    if kind not in _COMMANDS:
        raise SimulatorError(f"command {kind.name} is not supported by this simulator")
    number = int(arguments[0])
    if number == FUTURE_ACTOR:
        number = future
    _COMMANDS[kind](context, caller, number, *arguments[1:])
    return number


def _spawn(context: Context, caller: int, arguments: Wire) -> int:
    description, transform, parent, _attachment, _socket, after = arguments
    carrier = int(parent[1]) if parent[0] else 0
    actor = actor_methods.spawn(context, caller, description, transform, carrier)
    for command in after:
        _execute(context, caller, command, actor.id)
    return actor.id
