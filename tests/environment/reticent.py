"""The embedded simulator, but a new client is told the world's state at the next tick only, as by CARLA."""

from worker.simulator.__main__ import main
from worker.simulator.publisher import Publisher
from worker.simulator.streams import Subscriber


def _say_nothing(publisher: Publisher, subscriber: Subscriber) -> None:
    """In the place of `Publisher.greet`."""


if __name__ == "__main__":
    Publisher.greet = _say_nothing  # type: ignore[method-assign]
    main()
