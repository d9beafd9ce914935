"""Notices within seconds that a simulator died or hangs, where the client would wait out its time-out."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from time import monotonic

import msgpack

from worker.environment.connection import Connection, SimulatorLost

CHECK_SECONDS = 0.25
# A tick that takes longer is asked after; a real server's first ones after a load may.
SLOW_SECONDS = 1.0
SILENT_SECONDS = 3.0
REQUEST = 0
# First argument of every call of CARLA: the client waits for the answer.
WAITING = [False]

OnLost = Callable[[SimulatorLost], None]


class Tripwire:
    """A connection of our own to the server's RPC port, on which one cheap question may be open.

    CARLA answers `version` beside its game thread, so a server that is only slow still answers. The
    connection ends with the server's process, and does not come back when another takes its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._asked_at: float | None = None
        self._socket: socket.socket | None = None
        self.connect()

    def connect(self) -> None:
        with suppress(OSError):
            self._socket = socket.create_connection(self._address, SILENT_SECONDS)
            self._socket.setblocking(False)
            self._asked_at = None

    @property
    def is_cut(self) -> bool:
        return self._socket is None

    def silent_for(self, now: float) -> float:
        """Seconds the open question has waited for its answer; asks one when none is open."""
        self.listen()
        if self._socket is None:
            return 0.0
        if self._asked_at is None:
            self._asked_at = now
            with suppress(OSError):
                self._socket.send(msgpack.packb([REQUEST, 1, "version", [WAITING]]))
        return now - self._asked_at

    def listen(self) -> None:
        """Whatever the server says is an answer; the end of the stream is its death."""
        try:
            while self._socket is not None:
                if self._socket.recv(4096):
                    self._asked_at = None
                else:
                    self.close()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


class Lookout(Thread):
    """Watches the tick under way and calls `on_lost`, once, when the server behind it is gone or silent.

    `on_lost` runs on this thread while the ticking one is held inside `Connection.tick`, by the client or
    by us: it may save what there is and end the process. With a live Traffic Manager that is the only
    way to save anything, because the client aborts the process at the end of its time-out.
    """

    def __init__(self, connection: Connection, on_lost: OnLost) -> None:
        super().__init__(name="lookout", daemon=True)
        self._connection = connection
        self._on_lost = on_lost
        self._stopped = Event()
        self._frame_when_cut: int | None = None

    def run(self) -> None:
        address = self._connection.address
        wire = Tripwire(address.host, address.port)
        while not self._stopped.wait(CHECK_SECONDS):
            began = self._connection.tick_began
            if began is None or monotonic() - began < SLOW_SECONDS:
                self._mend(wire)
            elif (reason := _fault(wire)) and self._report(began, reason):
                break
        wire.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _mend(self, wire: Tripwire) -> None:
        """Only a server that ticks on has not died of it: one restarted on the same port never will.

        The answer to one tick may have been under way when the server ended; a second one proves it alive.
        """
        wire.listen()
        if not wire.is_cut:
            self._frame_when_cut = None
        elif self._frame_when_cut is None:
            self._frame_when_cut = self._connection.frame
        elif self._connection.frame > self._frame_when_cut + 1:
            wire.connect()

    def _report(self, began: float, reason: str) -> bool:
        """Unless that tick has just come back, hold the ticking thread and tell."""
        with self._connection.returning:
            if self._connection.tick_began != began:
                return False
            self._on_lost(SimulatorLost(f"simulator {self._connection.address} {reason}"))
        return True


def _fault(wire: Tripwire) -> str:
    """What is wrong with the server, empty while it answers."""
    silence = wire.silent_for(monotonic())
    if wire.is_cut:
        return "has ended or was restarted"
    return f"hangs: no answer for {silence:.0f} s" if silence > SILENT_SECONDS else ""
