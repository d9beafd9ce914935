"""What a checkpoint holds, shares and refuses."""

import json
import resource
from pathlib import Path

import pytest

from backend.checkpoints.files import delete_checkpoint, read_manifest, verify_checkpoint
from backend.errors import CheckpointDamaged, CheckpointError
from tests.checkpoints.loop import CONFIG, Loop, seed_everything
from worker.checkpointing import load_checkpoint, separate, write_checkpoint


def trained(steps: int = 60) -> Loop:
    seed_everything()
    loop = Loop(CONFIG)
    loop.run(steps)
    return loop


def test_the_manifest_says_what_is_inside(tmp_path: Path) -> None:
    files = trained().save(tmp_path)
    manifest = read_manifest(files.path)
    assert files.path.name == "step-000000060-interval"
    assert (manifest["step"], manifest["episode"], manifest["updates"]) == (60, 1, 31)
    assert manifest["config"] == CONFIG.model_dump(mode="json")
    assert manifest["config_hash"] == CONFIG.hash
    assert manifest["observation_shapes"] == {"vector": [3]}
    assert manifest["pitwall"]
    assert manifest["state"]["progress"]["seed"] >= 0
    assert all(len(entry["sha256"]) == 64 for entry in manifest["files"].values())
    assert not [
        path for path in files.path.iterdir() if path.suffix not in (".json", ".safetensors")
    ]


def test_regions_of_the_buffer_that_did_not_change_are_shared(tmp_path: Path) -> None:
    loop = trained(110)
    first = loop.save(tmp_path)
    loop.run(5)
    second = loop.save(tmp_path)
    links = {
        path.name: path.stat().st_nlink
        for path in second.path.iterdir()
        if path.name.startswith("replay")
    }
    assert 0 < sum(count == 1 for count in links.values()) <= 2
    assert sum(count == 2 for count in links.values()) >= 1
    assert verify_checkpoint(first.path).sha256 == first.sha256


def saved_apart(loop: Loop, folder: Path) -> Path:
    capture = loop.capture(folder)
    path = write_checkpoint(capture).path
    separate(capture)
    return path


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_file_that_rots_leaves_the_checkpoint_before_whole(tmp_path: Path) -> None:
    loop = trained(110)
    saved = [saved_apart(loop, tmp_path) for _ in range(6)]
    for path in saved:
        verify_checkpoint(path)
    files = {(path / "replay-00000.safetensors").stat().st_ino for path in saved}
    assert len(files) == 2  # used in turn
    damage(saved[-1] / "replay-00000.safetensors")
    for whole in (False, True) * 3:
        path = saved.pop()
        if whole:
            verify_checkpoint(path)
        else:
            with pytest.raises(CheckpointDamaged, match="replay-00000"):
                verify_checkpoint(path)


def test_what_was_left_shared_is_parted_later_and_a_copy_does_where_the_other_is_gone(
    tmp_path: Path,
) -> None:
    loop = trained(110)
    first, second = loop.save(tmp_path).path, loop.save(tmp_path).path
    third = saved_apart(loop, tmp_path)
    name = "replay-00000.safetensors"
    assert (first / name).samefile(second / name)
    assert not (third / name).samefile(second / name)
    delete_checkpoint(first)
    delete_checkpoint(second)
    fourth = saved_apart(loop, tmp_path)
    assert not (fourth / name).samefile(third / name)
    verify_checkpoint(fourth)


def test_without_turns_every_checkpoint_has_files_of_its_own(tmp_path: Path) -> None:
    loop = trained(110)
    saved = []
    for _ in range(3):
        capture = loop.capture(tmp_path)
        saved.append(write_checkpoint(capture).path)
        separate(capture, in_turn=False)
    assert len({(path / "replay-00000.safetensors").stat().st_ino for path in saved}) == 3


def test_a_file_found_rotten_while_parting_is_named_and_the_next_checkpoint_is_whole(
    tmp_path: Path,
) -> None:
    loop = trained(110)
    first = loop.save(tmp_path).path
    capture = loop.capture(tmp_path)
    second = write_checkpoint(capture).path
    damage(first / "replay-00000.safetensors")
    with pytest.raises(CheckpointDamaged, match="replay-00000"):
        separate(capture)
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(CheckpointDamaged, match="replay-00000"):
        verify_checkpoint(second)
    others = [view.region.name for view in capture.regions[1:] if view.saved]
    assert others
    assert not any((second / name).samefile(first / name) for name in others)
    verify_checkpoint(saved_apart(loop, tmp_path))


def test_parting_stops_when_the_next_checkpoint_is_wanted(tmp_path: Path) -> None:
    loop = trained(110)
    first = loop.save(tmp_path).path
    capture = loop.capture(tmp_path)
    second = write_checkpoint(capture).path
    answers = iter([True, False])
    separate(capture, go_on=lambda: next(answers))
    shared = [
        (second / view.region.name).samefile(first / view.region.name) for view in capture.regions
    ]
    assert shared[:2] == [False, True]


def test_sharing_goes_on_after_a_load_and_after_the_source_is_gone(tmp_path: Path) -> None:
    first = trained(110).save(tmp_path)
    resumed = trained(1)
    resumed.load(first.path)
    second = resumed.save(tmp_path)
    assert max(path.stat().st_nlink for path in second.path.iterdir()) == 2
    delete_checkpoint(first.path)
    delete_checkpoint(second.path)
    third = resumed.save(tmp_path)
    assert verify_checkpoint(third.path).sha256 == third.sha256
    assert max(path.stat().st_nlink for path in third.path.iterdir()) == 1


def test_damage_is_found_before_anything_is_loaded_and_the_one_before_still_loads(
    tmp_path: Path,
) -> None:
    loop = trained()
    first = loop.save(tmp_path)
    loop.run(10)
    second = loop.save(tmp_path)
    file = second.path / "state.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointDamaged, match=r"state\.safetensors does not match its hash"):
        load_checkpoint(second.path)
    assert load_checkpoint(first.path).progress["step"] == 60


def test_damage_in_the_buffer_is_found(tmp_path: Path) -> None:
    files = trained().save(tmp_path)
    region = next(path for path in files.path.iterdir() if path.name.startswith("replay"))
    region.write_bytes(region.read_bytes()[:-1])
    with pytest.raises(CheckpointDamaged, match="replay-00000"):
        load_checkpoint(files.path, trained(1).replay)


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(tmp_path: Path) -> None:
    loop = trained()
    first = loop.save(tmp_path)
    loop.run(10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(CheckpointError, match="could not be written"):
            loop.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]
    loop.run(10)
    assert verify_checkpoint(loop.save(tmp_path).path)


def test_two_checkpoints_of_one_step_stand_beside_each_other(tmp_path: Path) -> None:
    loop = trained()
    first, second = loop.save(tmp_path), loop.save(tmp_path)
    assert first.path != second.path
    assert verify_checkpoint(second.path)


def test_a_notebook_can_read_the_manifest_without_pitwall(tmp_path: Path) -> None:
    files = trained().save(tmp_path)
    manifest = json.loads((files.path / "manifest.json").read_text())
    assert manifest["config"]["algorithm"] == "td3"
