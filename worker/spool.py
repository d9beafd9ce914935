"""The spool: flushes that could not reach the database, kept on disk in order, within a bound."""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.metrics.columns import Point

SUFFIX = ".flush"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """The points of one flush of a segment; `number` tells it from every other flush of the segment."""

    segment_id: int
    number: int
    points: list[Point]


class Spool:
    """A folder of batches, oldest first. `limit` bounds its bytes on disk."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._sizes = {path: path.stat().st_size for path in sorted(folder.glob(f"*{SUFFIX}"))}

    @property
    def bytes(self) -> int:
        return sum(self._sizes.values())

    def __len__(self) -> int:
        return len(self._sizes)

    def put(self, batch: Batch) -> bool:
        """Keep a batch, durably and whole or not at all; False when bound or disk have no room for it."""
        content = zlib.compress(json.dumps([batch.segment_id, batch.number, batch.points]).encode())
        if self.bytes + len(content) > self._limit:
            return False
        path = self._path(batch)
        try:
            _write(path, content)
        except OSError:
            log.exception("the spool cannot be written")
            return False
        self._sizes[path] = len(content)
        return True

    def batches(self) -> Iterator[Batch]:
        """Every batch, oldest first; one that cannot be read is set aside and reported."""
        for path in sorted(self._sizes):
            try:
                segment_id, number, points = json.loads(zlib.decompress(path.read_bytes()))
            except FileNotFoundError:
                # An earlier attempt that was still catching up shipped it itself.
                del self._sizes[path]
                continue
            except (zlib.error, ValueError):
                aside = path.replace(path.with_suffix(".damaged"))
                del self._sizes[path]
                log.exception("a spooled flush is damaged; it was set aside as %s", aside)
                continue
            yield Batch(segment_id, number, [tuple(point) for point in points])

    def oldest(self, most: int) -> list[Batch]:
        """The oldest batches, of one segment, about `most` points together."""
        group: list[Batch] = []
        held = 0
        for batch in self.batches():
            if group and (batch.segment_id != group[0].segment_id or held >= most):
                break
            group.append(batch)
            held += len(batch.points)
        return group

    def discard(self, batch: Batch) -> None:
        """Forget a batch that reached the database; the folder goes with the last one."""
        path = self._path(batch)
        path.unlink(missing_ok=True)
        del self._sizes[path]
        if not self._sizes:
            with suppress(OSError):
                self._folder.rmdir()

    def _path(self, batch: Batch) -> Path:
        return self._folder / f"{batch.segment_id:010d}-{batch.number:010d}{SUFFIX}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
