"""Addresses of CARLA servers as people write them."""

from backend.errors import InvalidConfig, shown

CARLA_PORT = 2000


def parse_addresses(text: str) -> list[tuple[str, int]]:
    """`host:port,host:port`; a host alone has CARLA's own port. None is there twice.

    Raises:
        InvalidConfig: there is none, or one of them is wrong.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise _wrong(text)
    return list(dict.fromkeys(_address(part) for part in parts))


def one_address(text: str) -> tuple[str, int]:
    """The same of a single server.

    Raises:
        InvalidConfig: it is none, or there are several.
    """
    addresses = parse_addresses(text)
    if len(addresses) > 1:
        raise InvalidConfig({"carla": f"{shown(text)} names several servers: name one"})
    return addresses[0]


def _address(part: str) -> tuple[str, int]:
    host, colon, port = part.rpartition(":")
    if not colon:
        host, port = part, str(CARLA_PORT)
    is_port = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536
    # CARLA listens on IPv4 alone: a colon in the host is a second address or a mistake.
    if not host or not is_port or not host.isprintable() or set(host) & set(" :/"):
        raise _wrong(part)
    return host, int(port)


def _wrong(text: str) -> InvalidConfig:
    return InvalidConfig(
        {
            "carla": f"{shown(text)} is not host:port: write for example 127.0.0.1:2000, "
            "several separated by commas"
        }
    )
