"""A checkpoint as one tar file, written while it is read: nothing is copied to disk or held in memory."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.checkpoints.files import MANIFEST, read_manifest
from backend.errors import CheckpointDamaged, NotFound

CHUNK = 1 << 20
BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Archive:
    """The files of a checkpoint's folder that its manifest names, manifest first, with their sizes."""

    folder: Path
    files: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, path: Path, root: Path) -> "Archive":
        """What `path` holds; it must lie in the folder of checkpoints, `root`.

        Raises:
            NotFound: it lies elsewhere, so it is none of ours to hand out.
            CheckpointDamaged: the manifest does not hold, or a file is missing or of another size.
        """
        folder = path.resolve()
        if not folder.is_relative_to(root.resolve()):
            raise NotFound(
                f"checkpoint {path.name} is not kept here: fetch it where it was written"
            )
        sizes = {name: entry["bytes"] for name, entry in read_manifest(folder)["files"].items()}
        sizes[MANIFEST] = (folder / MANIFEST).stat().st_size
        for name, size in sizes.items():
            file = folder / name
            whole = file.parent == folder and file.is_file() and file.stat().st_size == size
            if not whole or file.is_symlink():
                raise CheckpointDamaged(
                    f"checkpoint {folder.name}: {name} is not as the manifest says; take another one"
                )
        order = sorted(sizes, key=lambda name: (name != MANIFEST, name))
        return cls(folder, tuple((name, sizes[name]) for name in order))

    @property
    def size(self) -> int:
        """Of the whole tar file."""
        padded = sum(BLOCK + size + -size % BLOCK for _, size in self.files)
        return padded + 2 * BLOCK

    def stream(self) -> Iterator[bytes]:
        """The tar file in pieces.

        Raises:
            OSError: a file went away meanwhile; the reader then has fewer than `size`.
        """
        for name, size in self.files:
            header = tarfile.TarInfo(f"{self.folder.name}/{name}")
            header.size, header.mode = size, 0o644
            header.mtime = int((self.folder / name).stat().st_mtime)
            yield header.tobuf(tarfile.USTAR_FORMAT)
            with (self.folder / name).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
            yield b"\0" * (-size % BLOCK)
        yield b"\0" * (2 * BLOCK)
