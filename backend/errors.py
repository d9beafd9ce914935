"""Errors that carry the offending value, the remedy and an HTTP status."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 10


def shown(value: object) -> str:
    """A value as an error names it: as Python writes it, the middle of a long one left out."""
    return _SHORT.repr(value)


class PitwallError(Exception):
    """Base of every error a user can cause or cure; `str(error)` says what is wrong and what to do."""

    status = 500
    title = "Internal error"


class NotFound(PitwallError):
    """The thing named does not exist."""

    status = 404
    title = "Not found"


class IllegalTransition(PitwallError):
    """The run's state does not allow the action."""

    status = 409
    title = "Not possible in this state"


class InvalidConfig(PitwallError):
    """One or more configuration values are wrong; `fields` maps each field to its problem and remedy."""

    status = 422
    title = "Invalid configuration"

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in fields.items()))
        self.fields = fields


class CheckpointError(PitwallError):
    """A checkpoint could not be written; the ones before it are whole."""

    status = 507
    title = "Checkpoint not written"


class CheckpointDamaged(PitwallError):
    """A checkpoint's files do not match the hashes in its manifest."""

    status = 409
    title = "Checkpoint damaged"


class FencedOff(PitwallError):
    """Another attempt owns the run now; the holder of the old token must stop without writing."""

    status = 409
    title = "Fenced off"


class NoSimulator(PitwallError):
    """Every simulator this worker may lease is taken; the run stays queued."""

    status = 503
    title = "No simulator free"


class Unauthenticated(PitwallError):
    """No valid token or session came with the request."""

    status = 401
    title = "Sign-in needed"


class Forbidden(PitwallError):
    """The request came from another origin or lacks permission."""

    status = 403
    title = "Forbidden"
