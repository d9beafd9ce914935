"""How much memory this process may still take: the machine's, or less where a container or a job has a limit."""

from collections.abc import Iterator
from pathlib import Path

from psutil import virtual_memory

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
# Of the kernel's two versions: limit, use, and what of the use is a file cache it gives back.
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_memory(own: Path = OWN_CGROUPS, root: Path = CGROUPS) -> int:
    """Bytes, at least 0."""
    left: list[int] = [virtual_memory().available, *_left_of_limits(own, root)]
    return max(0, min(left))


def _left_of_limits(own: Path, root: Path) -> Iterator[int]:
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left_upwards(root, path, VERSION_2)
        elif "memory" in controllers.split(","):
            yield from _left_upwards(root / "memory", path, VERSION_1)


def _left_upwards(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """Of the group itself and of every group it is in. A container may see itself as the root."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(root) and (left := _left(folder, *names)) is not None:
            yield left


def _left(folder: Path, limit: str, use: str, cache: str) -> int | None:
    """None where there is no limit."""
    try:
        most = int((folder / limit).read_text())
        used = int((folder / use).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max", or no such group here
        return None
    return most - used + int(stat.get(cache, 0))
