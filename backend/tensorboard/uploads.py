"""Uploads: event files as a browser sends them, loose or in one archive, laid out as a folder to import from."""

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from backend.tensorboard.events import UnreadableLog

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
MOST_MEMBERS = 10_000
BLOCK = 1 << 20
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class TooLarge(UnreadableLog):
    """More bytes than a log may have; nothing was imported."""

    status = 413
    title = "Log too large"


class Readable(Protocol):
    """What can be read block by block."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Upload:
    """A file as the client named it: the name is shown and sorted by, and never a path of ours."""

    name: str
    content: IO[bytes]

    @property
    def is_archive(self) -> bool:
        return self.name.lower().endswith(ARCHIVES)


@dataclass(frozen=True)
class Layout:
    """Where the event files lie now, what the log is called, and what was left out, in sentences."""

    folder: Path
    name: str
    notes: list[str]


def lay_out(uploads: Iterable[Upload], folder: Path, limit: int) -> Layout:
    """Write the event files of an upload into `folder`, `limit` bytes at the most, archives unpacked.

    Raises:
        UnreadableLog: when there is no event file, there are several logs, or an archive is damaged.
        TooLarge: for more than `limit` bytes, unpacked.
    """
    room, found, left_out = limit, set[PurePosixPath](), 0
    title = ""
    for upload in uploads:
        title = title or _stem(upload)
        with _damage_named(upload.name):
            for name, content in _members(upload):
                path = PurePosixPath(name.replace("\\", "/"))
                if "tfevents" not in path.name:
                    left_out += 1
                    continue
                found.add(path)
                room -= _write(content, folder / _safe(path.name), room, limit)
    _refuse_none_or_several(found, left_out)
    parent = next(iter(found)).parent.name
    notes = [f"{left_out} other files were left out: only event files are read"] if left_out else []
    return Layout(folder, parent or title or "tensorboard", notes)


def _refuse_none_or_several(found: set[PurePosixPath], left_out: int) -> None:
    parents = sorted({str(path.parent) for path in found})
    if not parents:
        raise UnreadableLog(
            f"no event file among the {left_out} files sent: their names contain 'tfevents', and an "
            f"archive of them ends in {', '.join(ARCHIVES)}. Nothing was imported"
        )
    if len(parents) > 1:
        named = ", ".join(parents[:10])
        raise UnreadableLog(
            f"{len(parents)} logs were sent ({named}): send one at a time. Nothing was imported"
        )


def _stem(upload: Upload) -> str:
    name = PurePosixPath(upload.name.replace("\\", "/")).name
    ending = next((end for end in ARCHIVES if name.lower().endswith(end)), "")
    return name[: -len(ending)] if ending else ""


def _members(upload: Upload) -> Iterator[tuple[str, Readable]]:
    if not upload.is_archive:
        yield upload.name, upload.content
        return
    members = _zipped if upload.name.lower().endswith(".zip") else _tarred
    yield from members(upload)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, BadGzipFile) as error:
        raise UnreadableLog(
            f"{name} is no archive that can be read ({error}). Nothing was imported"
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or a method zipfile lacks
        raise UnreadableLog(f"{name}: {error}. Nothing was imported") from error


def _zipped(upload: Upload) -> Iterator[tuple[str, Readable]]:
    with zipfile.ZipFile(upload.content) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        _refuse_crowd(upload.name, len(members))
        for member in members:
            with archive.open(member) as content:
                yield member.filename, content


def _tarred(upload: Upload) -> Iterator[tuple[str, Readable]]:
    # `r|*` reads the archive once, from front to back: nothing is held in memory.
    with tarfile.open(fileobj=upload.content, mode="r|*") as archive:
        for number, member in enumerate(archive):
            _refuse_crowd(upload.name, number)
            # Links and devices are no logs; what they point at is not ours to read.
            if member.isreg() and (content := archive.extractfile(member)):
                yield member.name, content


def _refuse_crowd(name: str, members: int) -> None:
    if members > MOST_MEMBERS:
        raise TooLarge(
            f"{name} holds more than {MOST_MEMBERS:,} files: pack the event files alone. Nothing was imported"
        )


def _safe(name: str) -> str:
    return UNSAFE.sub("_", name)[-200:]


def _write(content: Readable, path: Path, room: int, limit: int) -> int:
    written = 0
    # A name that comes twice would join two logs into one.
    with _refuse_twice(path), path.open("xb") as file:
        while block := content.read(BLOCK):
            written += len(block)
            if written > room:
                raise TooLarge(
                    f"the event files are larger than {limit / 1e6:,.0f} MB: `pitwall import tensorboard` "
                    "on the machine has no such limit. Nothing was imported"
                )
            file.write(block)
    return written


@contextmanager
def _refuse_twice(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise UnreadableLog(
            f"{path.name} was sent twice, from two folders: send one log at a time. Nothing was imported"
        ) from error
