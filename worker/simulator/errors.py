"""What a client can do wrong; the message travels back to it as the call's error."""

import struct

# A request of the wrong shape: the client's fault, and not a reason for anyone else to suffer.
MALFORMED = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    struct.error,
)


class SimulatorError(Exception):
    """A request that cannot be fulfilled; `str(error)` says why and what to do."""


class MapUnreadable(SimulatorError):
    """An OpenDRIVE text has no roads, or geometry this simulator does not know."""


class MapUnknown(SimulatorError):
    """No map of that name or file exists."""


class ActorUnknown(SimulatorError):
    """No actor has that id, or it is of another kind."""


class SpawnRefused(SimulatorError):
    """The blueprint, the place or the parent does not allow the actor."""


class InvalidValue(SimulatorError):
    """A number is missing, not finite, or out of its range."""
