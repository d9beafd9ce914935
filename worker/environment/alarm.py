"""Wakes a Traffic Manager that slept through its turn."""

import logging
import socket
from threading import Event, Thread
from time import monotonic

import msgpack

from worker.environment.connection import Connection

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.5
STUCK_SECONDS = 2.0
REQUEST = 0


class Alarm(Thread):
    """Ends a tick that hangs between the client and its Traffic Manager.

    In CARLA 0.9.16 `TrafficManagerLocal::SynchronousTick` sets a flag and notifies the manager's thread
    without holding the mutex that thread waits under, and is notified back in the same way. A notification
    that falls between the check of the flag and the wait is lost: both wait for ever, with no time-out. On
    two busy cores it happens about once in forty thousand ticks. Leaving synchronous mode repeats the
    notification. After it an episode may no longer replay bit for bit.

    Attributes:
        rung: how often it was needed.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(name="traffic-alarm", daemon=True)
        self._connection = connection
        self._stopped = Event()
        self.rung = 0

    def run(self) -> None:
        while not self._stopped.wait(CHECK_SECONDS):
            if self._stuck():
                self._ring()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _stuck(self) -> bool:
        """A tick is under way and its world state has come: only the Traffic Manager is left to wait for."""
        began, frame = self._connection.tick_began, self._connection.frame
        if began is None or monotonic() - began < STUCK_SECONDS:
            return False
        return bool(self._connection.world.get_snapshot().frame > frame)

    def _ring(self) -> None:
        """Over the manager's own RPC port: its Python methods wait, with the GIL, for a lock the tick holds."""
        self.rung += 1
        logger.warning("the Traffic Manager missed its turn after frame %d", self._connection.frame)
        wake(self._connection.address.traffic_port)


def wake(traffic_port: int) -> None:
    """Notify the Traffic Manager in this process again, by leaving synchronous mode and coming back to it."""
    calls = [
        msgpack.packb([REQUEST, number, "set_synchronous_mode", [synchronous]])
        for number, synchronous in enumerate((False, True))
    ]
    try:
        with socket.create_connection(("127.0.0.1", traffic_port), STUCK_SECONDS) as manager:
            manager.sendall(b"".join(calls))
            manager.recv(4096)
    except OSError as error:
        logger.warning("and could not be woken on port %d: %s", traffic_port, error)
