"""Downloads: one tar with exactly what the manifest names, and never a file from elsewhere."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from backend.checkpoints.archive import Archive
from backend.checkpoints.files import CheckpointFiles, drafting, read_manifest, verify_checkpoint
from backend.errors import CheckpointDamaged, NotFound


@pytest.fixture
def checkpoint(tmp_path: Path) -> CheckpointFiles:
    folder = tmp_path / "checkpoints" / "run-000001"
    folder.mkdir(parents=True)
    path = folder / "step-000000100-interval"
    with drafting(path) as draft:
        draft.write("state.safetensors", b"s" * 1000)
        draft.write("replay-0.safetensors", b"r" * 5_000_000)
        draft.write("empty.safetensors", b"")
        size, sha256 = draft.seal({"step": 100})
    return CheckpointFiles(path, size, sha256)


def test_a_download_unpacks_to_a_checkpoint_that_verifies(
    checkpoint: CheckpointFiles, tmp_path: Path
) -> None:
    archive = Archive.of(checkpoint.path, tmp_path / "checkpoints")
    data = b"".join(archive.stream())
    assert len(data) == archive.size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames()[0].endswith("/manifest.json")
        tar.extractall(tmp_path / "home", filter="data")
    found = verify_checkpoint(tmp_path / "home" / checkpoint.path.name)
    assert found.sha256 == checkpoint.sha256


def test_a_folder_outside_the_checkpoints_is_not_handed_out(
    checkpoint: CheckpointFiles, tmp_path: Path
) -> None:
    for root in ("elsewhere", "checkpoints/run-000001/step-000000100-interval/deeper"):
        with pytest.raises(NotFound, match="is not kept here"):
            Archive.of(checkpoint.path, tmp_path / root)
    link = tmp_path / "checkpoints" / "link"
    (tmp_path / "secret").mkdir()
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        Archive.of(link, tmp_path / "checkpoints")


def test_files_that_are_missing_cut_or_links_are_named(
    checkpoint: CheckpointFiles, tmp_path: Path
) -> None:
    root, victim = tmp_path / "checkpoints", checkpoint.path / "state.safetensors"
    assert "state.safetensors" in read_manifest(checkpoint.path)["files"]
    os.truncate(victim, 10)
    with pytest.raises(CheckpointDamaged, match=r"state\.safetensors"):
        Archive.of(checkpoint.path, root)
    victim.unlink()
    with pytest.raises(CheckpointDamaged, match=r"state\.safetensors"):
        Archive.of(checkpoint.path, root)
    (tmp_path / "passwords").write_bytes(b"s" * 1000)
    victim.symlink_to(tmp_path / "passwords")
    with pytest.raises(CheckpointDamaged, match=r"state\.safetensors"):
        Archive.of(checkpoint.path, root)
