"""The ring's arrays cut into regions, so that a checkpoint writes only what changed since the one before."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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

    `saved` is the last file written of it, the source of a hard link while it is current.
    """

    name: str
    begin: int
    end: int
    version: int = 0
    saved: SavedRegion | None = None

    @property
    def is_saved(self) -> bool:
        return self.saved is not None and self.saved.version == self.version


@dataclass(frozen=True)
class RegionView:
    """A region and its slots' arrays as they are now; views, not copies."""

    region: Region
    arrays: Arrays
