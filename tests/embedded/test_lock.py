"""One Pitwall per data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.embedded.lock import FolderInUse, FolderLock


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys, pathlib; from backend.embedded.lock import FolderLock\n"
            "with FolderLock(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(FolderInUse, match=f"process {holder.pid}"), FolderLock(tmp_path):
            pass
    with FolderLock(tmp_path):
        pass


def test_the_folder_stays_locked_while_a_child_of_a_dead_holder_lives(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=lock.inherited,
        )
    (tmp_path / "pitwall.lock").write_text("999999999")
    with child, pytest.raises(FolderInUse), FolderLock(tmp_path, patience=0.3):
        pass
    with FolderLock(tmp_path, patience=5):
        pass


def test_a_refusal_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(FolderInUse), FolderLock(tmp_path):
            pass
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_holder_that_died_but_was_not_reaped_is_waited_for(tmp_path: Path) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    with FolderLock(tmp_path) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(1)"], pass_fds=lock.inherited
        )
    (tmp_path / "pitwall.lock").write_text(str(zombie.pid))
    with FolderLock(tmp_path):
        assert child.wait() == 0
    zombie.wait()
