"""Event files: every scalar of a folder of TensorBoard logs, by tag, or a report of what is damaged."""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.util.tensor_util import make_ndarray

from backend.errors import PitwallError
from backend.metrics.columns import Columns
from backend.metrics.models import METRIC_LENGTH
from backend.tensorboard.clock import LAST_STEP
from backend.tensorboard.records import DamagedRecord, read_records

EPISODE = "pitwall episode "
NATIVE = re.compile(rf"{EPISODE}(\d{{1,9}})")


class UnreadableLog(PitwallError):
    """A TensorBoard log is missing, empty, truncated or corrupt; nothing of it was imported."""

    status = 422
    title = "Log not readable"


@dataclass(frozen=True)
class TagPoint:
    """Points of one tag as logged: `index` is what its writer passed as the global step.

    `episode` is known in Pitwall's own exports, 0 elsewhere.
    """

    index: "array[int]"
    episode: "array[int]"
    time: "array[float]"
    value: "array[float]"

    @classmethod
    def empty(cls) -> Self:
        return cls(array("q"), array("q"), array("d"), array("d"))


@dataclass(frozen=True)
class Events:
    """All scalars of a folder: columns by tag, the files' sha256, and notes.

    `native`: Pitwall exported them, each point has its step and its episode.
    """

    tags: dict[str, Columns]
    sha256: str
    notes: list[str]
    native: bool

    @property
    def points(self) -> int:
        return sum(len(columns) for columns in self.tags.values())


def read_events(folder: Path) -> Events:
    """Read every event file of `folder`, in the order of their names.

    `SummaryWriter.add_scalars(main, {part: ...})` writes each part into a subfolder of its own, all under
    the tag `main`: they become `main/part`. Tags of any other subfolder have its name before them.

    Raises:
        UnreadableLog: when there is none, one is truncated or corrupt, or holds what no metric can be.
    """
    files = find_event_files(folder)
    tags: dict[str, TagPoint] = {}
    skipped: Counter[str] = Counter()
    sources: set[bool] = set()
    base = folder if files[0].parent == folder else files[-1].parent
    problems = [
        found
        for file in files
        if (found := _read_file(file, _naming(base, file), tags, skipped, sources))
    ]
    if problems:
        read = sum(len(tag.value) for tag in tags.values())
        raise UnreadableLog(
            f"{'; '.join(problems)}. {read} points of {len(tags)} tags could be read before that; nothing was imported"
        )
    if not tags:
        raise UnreadableLog(
            f"{folder} holds no scalars: {len(files)} event files without one. Nothing was imported"
        )
    notes = [
        f"{count} {kind} summaries were left out: only scalars are metrics"
        for kind, count in sorted(skipped.items())
    ]
    columns = {tag: _columns(points) for tag, points in tags.items()}
    for tag, logged in columns.items():
        _refuse_unstorable(tag, logged)
    return Events(columns, _digest(files), notes, native=sources == {True})


def find_event_files(folder: Path) -> list[Path]:
    """The event files of one run: those in `folder` and then its subfolders, or in its only subfolder that has any.

    Raises:
        UnreadableLog: when there is none, or several subfolders have some.
    """
    if not folder.is_dir():
        raise UnreadableLog(f"{folder} is not a folder: name the folder of the event files")
    found = sorted(path for path in folder.rglob("*tfevents*") if path.is_file())
    parents = sorted({path.parent for path in found})
    if folder in parents:
        return sorted(found, key=lambda path: (path.parent != folder, path))
    if not parents:
        raise UnreadableLog(f"{folder} holds no event files (their names contain 'tfevents')")
    if len(parents) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in parents[:10])
        raise UnreadableLog(f"{folder} holds {len(parents)} logs: import one of {names}")
    return found


def _naming(base: Path, file: Path) -> Callable[[str], str]:
    """What a tag of this file is called in the whole log."""
    folder = file.parent.relative_to(base).as_posix()
    if folder == ".":
        return lambda tag: tag

    def named(tag: str) -> str:
        start = tag.replace("/", "_") + "_"
        return (
            f"{tag}/{folder.removeprefix(start)}" if folder.startswith(start) else f"{folder}/{tag}"
        )

    return named


def _refuse_unstorable(tag: str, columns: Columns) -> None:
    if not tag.isprintable() or not 0 < len(tag) <= METRIC_LENGTH:
        raise UnreadableLog(
            f"tag {tag[:METRIC_LENGTH]!r} has {len(tag)} characters: a metric's name is 1 to {METRIC_LENGTH} "
            "printable ones. Nothing was imported"
        )
    # In the order of steps: the outermost are at the ends.
    outside = [int(step) for step in columns.step[[0, -1]] if not -LAST_STEP <= step <= LAST_STEP]
    if outside:
        raise UnreadableLog(
            f"tag '{tag}' has a point at step {outside[0]}: steps go to {LAST_STEP:,}. Nothing was imported"
        )
    if not np.isfinite(columns.time).all():
        raise UnreadableLog(
            f"tag '{tag}' has a point whose wall time is no number. Nothing was imported"
        )


def _read_file(
    file: Path,
    named: Callable[[str], str],
    tags: dict[str, TagPoint],
    skipped: Counter[str],
    sources: set[bool],
) -> str | None:
    """Add a file's scalars to `tags`; the problem found, if any. `sources` collects who wrote: Pitwall or not."""
    size = file.stat().st_size
    if size == 0:
        return f"{file.name} is empty"
    try:
        with file.open("rb") as stream:
            for record in read_records(stream):
                _take(Event.FromString(record), named, tags, skipped, sources)
    except DamagedRecord as damaged:
        return f"{file.name} is truncated or corrupt from byte {damaged.offset} of {size} on"
    except DecodeError:
        return f"{file.name} is no event file: a record of it is no event"
    return None


def _take(
    event: Event,
    named: Callable[[str], str],
    tags: dict[str, TagPoint],
    skipped: Counter[str],
    sources: set[bool],
) -> None:
    if not event.summary.value:
        return
    writer = event.source_metadata.writer if event.HasField("source_metadata") else ""
    native = NATIVE.fullmatch(writer)
    sources.add(native is not None)
    episode = int(native[1]) if native else 0
    step, at = event.step, event.wall_time
    for value in event.summary.value:
        scalar = _scalar(value)
        if scalar is None:
            skipped[value.WhichOneof("value") or "empty"] += 1
            continue
        tag = named(value.tag)
        if (points := tags.get(tag)) is None:
            points = tags[tag] = TagPoint.empty()
        points.index.append(step)
        points.episode.append(episode)
        points.time.append(at)
        points.value.append(scalar)


def _scalar(value: Summary.Value) -> float | None:
    if value.HasField("simple_value"):
        return float(value.simple_value)
    tensor = value.tensor
    if not value.HasField("tensor") or tensor.dtype == DT_STRING or tensor.tensor_shape.dim:
        return None
    try:
        return float(make_ndarray(tensor).item())
    except (KeyError, TypeError, ValueError):  # of a kind numpy has no number for, or without one
        return None


def _columns(points: TagPoint) -> Columns:
    """In the order of the index: a log continued after a restart goes back."""
    index = np.asarray(points.index, np.int64)
    columns = Columns.of(index, *map(np.asarray, (points.episode, points.time, points.value)))
    if (np.diff(index) < 0).any():
        return columns[np.argsort(index, kind="stable")]
    return columns


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            yield block
