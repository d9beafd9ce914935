"""What can go wrong between a trainer and the server, by what helps."""

from backend.errors import PitwallError


class ServerAway(PitwallError):
    """The server cannot be reached or cannot answer now: later it may."""

    status = 503
    title = "Server away"


class ServerRefused(PitwallError):
    """The server understood and said no: repeating does not help."""

    status = 400
    title = "Refused by the server"
