"""A checkpoint's folder is written whole or not at all, and damage never goes unseen."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.checkpoints.files import (
    MANIFEST,
    CheckpointFiles,
    delete_checkpoint,
    drafting,
    read_manifest,
    sweep_unfinished,
    unused_path,
    verify_checkpoint,
)
from backend.errors import CheckpointDamaged, CheckpointError


def write(path: Path, **files: bytes) -> CheckpointFiles:
    with drafting(path) as draft:
        for name, data in files.items():
            draft.write(name, data)
        total, sha256 = draft.seal({"step": 7})
    return CheckpointFiles(path, total, sha256)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The disk refuses more than `size` bytes in a file, as a full one does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_is_its_files_and_a_manifest_that_vouches_for_them(tmp_path: Path) -> None:
    files = write(tmp_path / "a", one=b"x" * 100, two=b"y")
    assert sorted(entry.name for entry in files.path.iterdir()) == [MANIFEST, "one", "two"]
    manifest = read_manifest(files.path)
    assert manifest["step"] == 7
    assert manifest["bytes"] == 101
    assert manifest["sha256"] == files.sha256
    assert verify_checkpoint(files.path).sha256 == files.sha256
    assert files.bytes == sum(entry.stat().st_size for entry in files.path.iterdir())


@pytest.mark.parametrize("name", ["one", MANIFEST])
def test_a_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a", one=b"x" * 100).path
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(CheckpointDamaged, match=name):
        verify_checkpoint(path)


@pytest.mark.parametrize("name", ["one", MANIFEST])
def test_a_missing_or_cut_file_is_found(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a", one=b"x" * 100).path
    (path / name).write_bytes((path / name).read_bytes()[:50])
    with pytest.raises(CheckpointDamaged, match=name):
        verify_checkpoint(path)
    (path / name).unlink()
    with pytest.raises(CheckpointDamaged, match=name):
        verify_checkpoint(path)


def test_a_manifest_that_is_rewritten_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a", one=b"x").path
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["step"] = 8
    (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointDamaged, match="altered"):
        read_manifest(path)


def test_a_full_disk_leaves_the_earlier_checkpoint_whole_and_nothing_else(tmp_path: Path) -> None:
    earlier = write(tmp_path / "a", one=b"x")
    with (
        file_size_limit(10_000),
        pytest.raises(CheckpointError, match=r"checkpoint b could not be written.*MB free"),
    ):
        write(tmp_path / "b", one=b"x", two=b"y" * 20_000)
    assert verify_checkpoint(earlier.path) == CheckpointFiles(earlier.path, 1, earlier.sha256)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert write(tmp_path / "b", two=b"y" * 20_000).path.exists()


def test_a_writer_that_fails_otherwise_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), drafting(tmp_path / "a") as draft:
        draft.write("one", b"x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    kept = write(tmp_path / "a", one=b"x").path
    left = tmp_path / ".b.123.unfinished"
    left.mkdir()
    (left / "one").write_bytes(b"half")
    assert sweep_unfinished(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [kept]


def test_shared_files_outlive_the_checkpoint_they_came_from(tmp_path: Path) -> None:
    first = write(tmp_path / "a", one=b"x" * 100)
    entry = read_manifest(first.path)["files"]["one"]
    with drafting(tmp_path / "b") as draft:
        assert draft.link("one", first.path / "one", entry["sha256"])
        assert not draft.link("two", tmp_path / "gone", "")
        draft.seal({})
    assert (tmp_path / "b" / "one").stat().st_nlink == 2
    delete_checkpoint(first.path)
    assert not first.path.exists()
    assert verify_checkpoint(tmp_path / "b").bytes == 100


def test_deleting_what_is_gone_is_fine(tmp_path: Path) -> None:
    delete_checkpoint(tmp_path / "never")


def test_names_already_taken_get_a_number(tmp_path: Path) -> None:
    assert unused_path(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert unused_path(tmp_path, "a") == tmp_path / "a-3"
    (tmp_path / "a.safetensors").touch()
    assert unused_path(tmp_path, "a.safetensors") == tmp_path / "a-2.safetensors"
