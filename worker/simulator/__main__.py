"""`python -m worker.simulator`: a CARLA-compatible server on this machine."""

import argparse
import logging
import signal
import sys
from types import FrameType

from worker.simulator.errors import SimulatorError
from worker.simulator.maps import BUILT_IN
from worker.simulator.server import serve


def main() -> None:
    """Parse the command line and serve; a wrong map or a taken port ends it with one line and code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, _leave)
    options = _options()
    try:
        serve(options.host, options.port, options.map, options.seed, owned=options.owned)
    except SimulatorError as error:
        sys.stderr.write(f"pitwall simulator: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pitwall simulator",
        description="A light simulator that the carla 0.9.16 client drives as if it were CARLA.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=2000, help="port of the calls, the next one is the streams'"
    )
    parser.add_argument(
        "--map", default="town", help=f"{', '.join(BUILT_IN)} or an OpenDRIVE FILE.xodr"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="decides houses and trees")
    parser.add_argument("--owned", action="store_true", help="end when stdin does")
    return parser.parse_args()


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _leave(number: int, stack: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
