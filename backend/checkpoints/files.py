"""Checkpoints on disk: a folder of files and a manifest that vouches for them; written whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from backend.errors import CheckpointDamaged, CheckpointError

MANIFEST = "manifest.json"
FORMAT = 1
UNFINISHED = ".unfinished"

Buffer: TypeAlias = bytes | memoryview


@dataclass(frozen=True)
class CheckpointFiles:
    """A finished checkpoint: its folder, the bytes of all its files, the hash that stands for them all."""

    path: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class FileEntry:
    """One file of a checkpoint as the manifest lists it."""

    bytes: int
    sha256: str


class Draft:
    """A checkpoint being written into a folder nobody looks at yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, FileEntry] = {}

    def write(self, name: str, *parts: Buffer) -> FileEntry:
        """A file of these parts, on the disk and not only in its cache. Several threads may write."""
        digest = hashlib.sha256()
        with open(self.folder / name, "xb") as file:
            for part in parts:
                file.write(part)
                digest.update(part)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        return self._enter(name, FileEntry(size, digest.hexdigest()))

    def link(self, name: str, source: Path, sha256: str) -> bool:
        """Share a file of an earlier checkpoint; False where that is impossible."""
        try:
            os.link(source, self.folder / name)
        except OSError:
            return False
        self._enter(name, FileEntry(source.stat().st_size, sha256))
        return True

    def _enter(self, name: str, entry: FileEntry) -> FileEntry:
        self.entries[name] = entry
        return entry

    def seal(self, contents: dict[str, Any]) -> tuple[int, str]:
        """Write the manifest; the bytes of all files and the hash over it."""
        files = {name: vars(entry) for name, entry in self.entries.items()}
        total = sum(entry.bytes for entry in self.entries.values())
        manifest = {"format": FORMAT, **contents, "files": files, "bytes": total}
        manifest["sha256"] = _digest(manifest)
        data = json.dumps(manifest, indent=1).encode()
        self.write(MANIFEST, data)
        return total + len(data), manifest["sha256"]


@contextmanager
def drafting(path: Path) -> Iterator[Draft]:
    """A draft that becomes `path` in one rename when the block ends well, and vanishes when it does not.

    Raises:
        CheckpointError: the disk is full or fails; what stood before still stands.
    """
    folder = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        folder.mkdir(parents=True)
        yield Draft(folder)
        _sync(folder)
        folder.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {path.name} could not be written: {error.strerror or error}; "
            f"{_free(path.parent)} free in {path.parent}. Free space; earlier checkpoints are whole"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_apart(path: Path, name: str, shared: Path, sha256: str, apart: Path | None) -> None:
    """Give the checkpoint at `path` another file `name` than `shared`, should it be that, of the same content.

    That of `apart`, an earlier checkpoint's, where it is another file and still there; else a copy. Whoever reads
    meanwhile finds one or the other.

    Raises:
        CheckpointDamaged: what is shared does not match its hash any more.
    """
    mine = path / name
    draft = path.with_name(f".{path.name}.{name}{UNFINISHED}")
    try:
        if not mine.samefile(shared):
            return
        if apart is None or not _linked(apart, draft, mine):
            _copy(draft, read_file(path, name, {"sha256": sha256}))
        draft.replace(mine)
    except OSError:
        return  # a full disk, or retention was faster: sharing stays
    finally:
        draft.unlink(missing_ok=True)


def _linked(source: Path, draft: Path, other_than: Path) -> bool:
    try:
        if source.samefile(other_than):
            return False
        os.link(source, draft)
    except OSError:
        return False
    return True


def _copy(draft: Path, data: bytes) -> None:
    with draft.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def unused_path(folder: Path, name: str) -> Path:
    """`folder/name`, or with a number after it, before a suffix, where that is taken."""
    wanted = path = folder / name
    number = 1
    while path.exists():
        number += 1
        path = wanted.with_stem(f"{wanted.stem}-{number}")
    return path


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, checked against its own hash.

    Raises:
        CheckpointDamaged: it is missing, unreadable or altered.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        claimed = manifest.pop("sha256")
        actual = _digest(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointDamaged(
            f"checkpoint {path.name} has no readable {MANIFEST}: {error}; take an earlier one"
        ) from error
    if claimed != actual:
        raise CheckpointDamaged(
            f"checkpoint {path.name}: {MANIFEST} was altered; take an earlier one"
        )
    if manifest.get("format") != FORMAT:
        raise CheckpointDamaged(
            f"checkpoint {path.name} has format {manifest.get('format')}, this version reads {FORMAT}"
        )
    return {**manifest, "sha256": claimed}


def read_file(path: Path, name: str, entry: dict[str, Any]) -> bytes:
    """A file's bytes, checked against the manifest's `entry`.

    Raises:
        CheckpointDamaged: with the name of the file.
    """
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        raise CheckpointDamaged(
            f"checkpoint {path.name}: {name} cannot be read ({error.strerror}); take an earlier one"
        ) from error
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointDamaged(
            f"checkpoint {path.name}: {name} does not match its hash; take an earlier one"
        )
    return data


def verify_checkpoint(path: Path) -> CheckpointFiles:
    """Read every file of a checkpoint against its hash.

    Raises:
        CheckpointDamaged: with the first file that does not match.
    """
    manifest = read_manifest(path)
    for name, entry in manifest["files"].items():
        read_file(path, name, entry)
    return CheckpointFiles(path, manifest["bytes"], manifest["sha256"])


def delete_checkpoint(path: Path) -> None:
    """Remove a checkpoint; files it shares with others stay theirs. One that is gone already is fine."""
    doomed = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        path.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)  # the run's next attempt sweeps up what is left


def sweep_unfinished(folder: Path) -> int:
    """Remove what killed writers left in `folder`; how many there were."""
    found = list(folder.glob(f".*{UNFINISHED}"))
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB"
    except OSError:
        return "nothing"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
