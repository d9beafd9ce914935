"""`python -m tests.workers.trainer MODE RUN_ID TOKEN`: small trainers with one habit each, for the supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backend.database import Database
from backend.errors import FencedOff
from backend.runs import attempts
from backend.settings import Settings
from worker.child import SIMULATOR_LOST
from worker.commands import CommandListener, RequestKind

STOPPED, FENCED = 75, 76


class Trainer:
    """Counts steps instead of training, but reports, listens and ends like the real one."""

    def __init__(self, run_id: int, token: str) -> None:
        self.database = Database(Settings().resolved_database_url)
        self.owner = (run_id, token)
        self.step = 0

    def begin(self) -> None:
        self.database.insist(lambda s: attempts.mark_running(s, *self.owner, time.time()))

    def report(self) -> None:
        self.step += 1
        self.database.insist(
            lambda s: attempts.record_progress(s, *self.owner, self.step, 0, 0, 10.0, time.time())
        )

    def save(self, kind: str) -> None:
        self.database.insist(
            lambda s: attempts.record_checkpoint(
                s,
                *self.owner,
                kind,
                step=self.step,
                episode=0,
                updates=0,
                path=Path(f"/nowhere/{self.step}"),
                size=1,
                sha256="0" * 64,
                now=time.time(),
            )
        )


def finish(trainer: Trainer) -> int:
    trainer.begin()
    trainer.report()
    trainer.database.insist(lambda s: attempts.finish(s, *trainer.owner, time.time()))
    return 0


def obey(trainer: Trainer) -> int:
    """Steps ten times a second until told otherwise."""
    trainer.begin()
    with CommandListener(trainer.database, *trainer.owner, interval=0.1) as commands:
        while True:
            while request := commands.poll():
                if request.kind is RequestKind.FENCED:
                    return FENCED
                if request.kind is not RequestKind.CHECKPOINT:
                    return leave(trainer, request.kind, request.checkpoint_id)
                trainer.save("manual")
                commands.answer(request, ok=True, result=f"step {trainer.step}")
            try:
                trainer.report()
            except FencedOff:
                return FENCED
            time.sleep(0.1)


def leave(trainer: Trainer, kind: RequestKind, checkpoint_id: int | None) -> int:
    database, owner, now = trainer.database, trainer.owner, time.time()
    database.insist(lambda s: attempts.mark_stopping(s, *owner, now))
    trainer.save(kind.name.lower())
    if kind is RequestKind.HALT:
        database.insist(lambda s: attempts.halt(s, *owner, "asked", now))
    elif kind is RequestKind.CANCEL:
        database.insist(lambda s: attempts.cancel(s, *owner, "asked", now))
    else:
        reason = kind.name.lower()
        database.insist(lambda s: attempts.requeue(s, *owner, reason, now, checkpoint_id))
    return STOPPED


def deaf(trainer: Trainer) -> int:
    """Steps on whatever it is told, and has a child that does so too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    trainer.begin()
    while True:
        trainer.report()
        time.sleep(0.1)


def stall(trainer: Trainer) -> int:
    """Beats, but never steps."""
    trainer.begin()
    trainer.report()
    trainer.step -= 1
    while True:
        trainer.report()
        trainer.step -= 1
        time.sleep(0.1)


def abort(trainer: Trainer) -> int:
    trainer.begin()
    os.abort()


def lose_simulator(trainer: Trainer) -> int:
    trainer.begin()
    sys.stdout.write("simulator 127.0.0.1:2000 hangs\n")
    return SIMULATOR_LOST


def fail(trainer: Trainer) -> int:
    trainer.begin()
    raise RuntimeError("the road is out")


def vanish(trainer: Trainer) -> int:
    """Says that it stopped on request but never told the database."""
    trainer.begin()
    return STOPPED


MODES: dict[str, Callable[[Trainer], int]] = {
    function.__name__: function
    for function in (finish, obey, deaf, stall, abort, lose_simulator, fail, vanish)
}

if __name__ == "__main__":
    mode, number, fencing_token = sys.argv[1:]
    sys.exit(MODES[mode](Trainer(int(number), fencing_token)))
