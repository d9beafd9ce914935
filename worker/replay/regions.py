"""The ring's arrays cut into regions, so that a checkpoint writes only what changed since the one before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SavedRegion:
    """A file that holds a region as it was at a version."""

    path: Path
    sha256: str
    version: int


@dataclass
class Region:
    """Some neighbouring slots of the ring; `version` rises with every write to them.

    `saved` is the last file written of it, the source of a hard link while it is current; `earlier` is the one
    that held the same before.
    """

    name: str
    begin: int
    end: int
    version: int = 0
    saved: SavedRegion | None = None
    earlier: SavedRegion | None = None
    _readers: int = 0
    _free: Condition = field(default_factory=Condition, repr=False)

    def touch(self) -> None:
        """Call before writing to the region: waits while a checkpoint being written still reads it."""
        if self._readers:
            with self._free:
                self._free.wait_for(lambda: not self._readers)
        self.version += 1

    def hold(self) -> None:
        """Keep writers out until `release()`."""
        with self._free:
            self._readers += 1

    def release(self) -> None:
        with self._free:
            self._readers -= 1
            self._free.notify_all()


@dataclass(frozen=True)
class RegionView:
    """A region at a version: views of its slots' arrays, and the files that hold them if there are any."""

    region: Region
    version: int
    arrays: Arrays
    saved: SavedRegion | None
    earlier: SavedRegion | None
    held: bool = False

    def release(self) -> None:
        """Let the ring write to the region again."""
        if self.held:
            self.region.release()
