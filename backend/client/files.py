"""Checkpoints a script saves itself: what the server is told of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = 2**20


@dataclass(frozen=True)
class Files:
    """A file or folder that holds the trainer's state at `step`."""

    path: Path
    step: int
    kind: str


def digest(files: Files) -> dict[str, Any]:
    """Path, bytes and hash; of a folder, over the names and contents of all files in it.

    Raises:
        OSError: the files cannot be read.
    """
    path = files.path.resolve()
    found = hashlib.sha256()
    size = 0
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        if part != path:
            found.update(part.relative_to(path).as_posix().encode())
        with part.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
                size += len(block)
    told = {"path": str(path), "bytes": size, "sha256": found.hexdigest()}
    return {**told, "step": files.step, "kind": files.kind}
