"""One Pitwall per data folder, held by a lock that dies with its last holder."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from backend.errors import PitwallError

LOCK_FILE = "pitwall.lock"


class FolderInUse(PitwallError):
    """Another Pitwall works in the data folder."""

    status = 409
    title = "Data folder in use"


class FolderLock:
    """An exclusive lock on a data folder.

    Children inherit the descriptor (`inherited`), so the folder is free only when they all have ended:
    after a SIGKILL of the parent a worker may still be saving.
    """

    def __init__(self, folder: Path, patience: float = 15.0) -> None:
        self._folder = folder
        self._patience = patience
        self._descriptor = -1

    @property
    def inherited(self) -> tuple[int, ...]:
        """Descriptors to pass to children."""
        return (self._descriptor,)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        self._acquire()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _acquire(self) -> None:
        give_up = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                holder = os.pread(self._descriptor, 20, 0).decode() or "?"
                if _is_alive(holder) or time.monotonic() >= give_up:
                    os.close(self._descriptor)
                    raise FolderInUse(
                        f"the data folder {self._folder} is in use by another Pitwall (process {holder}): "
                        "stop it, or choose another folder with --data"
                    ) from None
            time.sleep(0.2)


def _is_alive(holder: str) -> bool:
    """Whether the process that took the lock still works: then there is no point in waiting."""
    try:
        return bool(psutil.Process(int(holder)).status() != psutil.STATUS_ZOMBIE)
    except (ValueError, psutil.Error):
        return False
