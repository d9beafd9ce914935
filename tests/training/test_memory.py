"""Memory that can still be had: a container's limit counts, however the kernel writes it down."""

from pathlib import Path

import pytest
from psutil import virtual_memory

from worker.memory import VERSION_1, VERSION_2, available_memory

MEGABYTE = 10**6


def group(folder: Path, names: tuple[str, str, str], limit: str, use: int, cache: int) -> None:
    folder.mkdir(parents=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{use}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cache}\nslab 7\n")


@pytest.mark.parametrize(
    ("line", "place", "names"),
    [
        ("0::/jobs/mine", "jobs/mine", VERSION_2),
        ("9:cpu,memory:/jobs/mine", "memory/jobs/mine", VERSION_1),
    ],
)
def test_a_limit_leaves_what_is_not_used_of_it_or_is_only_a_cache(
    line: str, place: str, names: tuple[str, str, str], tmp_path: Path
) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text(f"12:pids:/elsewhere\n{line}\n")
    group(root / place, names, str(500 * MEGABYTE), 300 * MEGABYTE, 40 * MEGABYTE)
    assert available_memory(own, root) == 240 * MEGABYTE


def test_the_tightest_limit_of_those_around_counts(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/jobs/mine\n")
    group(root / "jobs", VERSION_2, str(100 * MEGABYTE), 90 * MEGABYTE, 0)
    group(root / "jobs" / "mine", VERSION_2, "max", 80 * MEGABYTE, 0)
    assert available_memory(own, root) == 10 * MEGABYTE


def test_a_limit_already_passed_leaves_nothing(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/\n")
    group(root, VERSION_2, "1000", 2000, 0)
    assert available_memory(own, root) == 0


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/jobs/gone\n")
    for place in (own, tmp_path / "no-such-file"):
        found = available_memory(place, tmp_path)
        assert 0 < found <= virtual_memory().total
