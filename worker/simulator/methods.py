"""The table of remote procedures: how a call finds its function, and how results and failures travel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.simulator.actors import Actor
from worker.simulator.errors import MALFORMED, SimulatorError
from worker.simulator.protocol import OK_VOID, Wire, failed, failed_void, ok, token
from worker.simulator.settings import EpisodeSettings
from worker.simulator.weather import Weather
from worker.simulator.world import World


@dataclass(eq=False)
class Context:
    """What procedures work on.

    Attributes:
        tick: advances the world by one frame and publishes it.
        prepare: does the slow part of a new sensor's first measurement.
        traffic_managers: port of each client's Traffic Manager -> its host and the connection it came on.
        leader: the connection that switched synchronous mode on, 0 if it is off.
    """

    world: World
    stream_port: int
    tick: Callable[[], None]
    prepare: Callable[[Actor], None]
    traffic_managers: dict[int, tuple[str, int]] = field(default_factory=dict)
    leader: int = 0

    def token(self, stream: int) -> bytes:
        return token(stream, self.stream_port)

    def wire(self, actor: Actor) -> Wire:
        return actor.wire(self.token(actor.stream) if actor.stream else b"")

    def apply(self, settings: EpisodeSettings, caller: int) -> None:
        self.world.settings = settings
        self.leader = caller if settings.synchronous else 0

    def tidy(self) -> None:
        """The last client has gone: the next one finds lights running and fair weather."""
        self.world.lights.thaw()
        self.world.weather = Weather()

    def forget(self, caller: int) -> None:
        """A client has gone: nothing of it stays, and nobody waits for its ticks."""
        self.world.destroy_owned_by(caller)
        for port, (_, owner) in tuple(self.traffic_managers.items()):
            if owner == caller:
                del self.traffic_managers[port]
        if self.leader == caller:
            self.apply(EpisodeSettings(), caller)


# Called with the context, the number of the calling connection, and the call's arguments.
Procedure = Callable[..., Wire]


class Entry(NamedTuple):
    """A procedure, and how its result and its failure travel."""

    call: Procedure
    answer: Callable[[Wire], Wire]
    refuse: Callable[[str], Wire]


TABLE: dict[str, Entry] = {}


def value(call: Procedure) -> Procedure:
    """Register a procedure under its own name that answers with `Response<T>`."""
    TABLE[call.__name__] = Entry(call, ok, failed)
    return call


def void(call: Procedure) -> Procedure:
    """Register a procedure under its own name that answers with `Response<void>`."""
    TABLE[call.__name__] = Entry(call, lambda _: OK_VOID, failed_void)
    return call


def bare(call: Procedure) -> Procedure:
    """Register a procedure whose result is not wrapped: `apply_batch` is the only one."""
    TABLE[call.__name__] = Entry(call, lambda result: result, failed)
    return call


def dispatch(
    context: Context, caller: int, method: str, arguments: Sequence[Wire]
) -> tuple[Wire, str | None]:
    """Result and protocol error of one call. Arguments start with the client's metadata."""
    entry = TABLE.get(method)
    if entry is None:
        return None, f"'{method}' is not supported by this simulator"
    try:
        return entry.answer(entry.call(context, caller, *arguments[1:])), None
    except SimulatorError as error:
        return entry.refuse(str(error)), None
    except MALFORMED as error:
        return entry.refuse(f"{method}: malformed request ({error})"), None
