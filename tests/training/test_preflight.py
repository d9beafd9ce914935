"""Before a run allocates anything: what this machine cannot carry is refused with the numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config
from backend.runs.service import get_run
from tests.training.conftest import MakeLab
from worker.preflight import _check, check_machine, checkpoints_size, learner_memory
from worker.replay import ReplaySize

VECTOR = spaces.Dict({"vector": spaces.Box(-1, 1, (53,), np.float32)})
FRAMES = spaces.Dict({**VECTOR.spaces, "image": spaces.Box(0, 255, (4, 84, 84), np.uint8)})


def refusal(tmp_path: Path, space: spaces.Dict, **overrides: object) -> dict[str, str]:
    with pytest.raises(InvalidConfig) as refused:
        check_machine(parse_config("quickstart", overrides), space, 2, tmp_path)
    return refused.value.fields


def fitting(problem: dict[str, str]) -> int:
    return int(problem["buffer_size"].rsplit("to ", 1)[1].split(" at")[0].replace(",", ""))


def test_every_preset_fits_a_machine_with_room(tmp_path: Path) -> None:
    for preset in ("quickstart", "vision-small"):
        check_machine(parse_config(preset), FRAMES, 2, tmp_path)


def test_a_buffer_larger_than_memory_is_refused_with_the_largest_that_fits(tmp_path: Path) -> None:
    problem = refusal(tmp_path, VECTOR, buffer_size=1_000_000_000)
    assert "GB of memory" in problem["buffer_size"]
    assert 0 < fitting(problem) < 1_000_000_000


def test_frames_that_fill_the_disk_are_refused(tmp_path: Path) -> None:
    space = spaces.Dict({"image": FRAMES["image"], "command": spaces.Box(-1, 1, (1,))})
    problem = refusal(tmp_path, space, buffer_size=200_000_000)["buffer_size"]
    assert "of disk" in problem
    assert "GB can be had" in problem


def test_the_checkpoints_a_run_will_keep_are_reckoned_with_until_they_are_there(
    tmp_path: Path,
) -> None:
    chosen = {
        "checkpoints_kept": 1000,
        "checkpoint_interval": 1_000_000,
        "buffer_size": 3_000_000,
        "total_steps": 1_000_000_000,
    }
    config = parse_config("quickstart", chosen)
    with pytest.raises(InvalidConfig, match="in 1002 checkpoints") as refused:
        check_machine(config, VECTOR, 2, tmp_path)
    fits = config.model_copy(update={"buffer_size": fitting(refused.value.fields) - 10_000})
    check_machine(fits, VECTOR, 2, tmp_path)
    check_machine(config, VECTOR, 2, tmp_path, begun=True)


@pytest.mark.parametrize(
    ("interval", "kept", "buffers"), [(10, 7, 2 + 8 * 0.1 + 1), (100, 7, 7), (15_000, 4, 4)]
)
def test_every_other_checkpoint_shares_what_did_not_change(
    interval: int, kept: int, buffers: float
) -> None:
    chosen = {"buffer_size": 100, "batch_size": 10, "checkpoint_interval": interval}
    config = parse_config("quickstart", {**chosen, "checkpoints_kept": 5})
    assert checkpoints_size(config, ReplaySize(100, 1000), 7) == kept * 7 + buffers * 1100


@pytest.mark.parametrize(
    ("config", "space", "taken"),
    [
        ({"batch_size": 16_384, "learning_starts": 16_384}, 27_648, 9.3e9),
        ({"batch_size": 256}, 53, 0.0),
    ],
)
def test_a_batch_of_wide_observations_is_reckoned_with(
    config: dict[str, int], space: int, taken: float
) -> None:
    chosen = parse_config("quickstart", config)
    wide = spaces.Dict({"vector": spaces.Box(-1, 1, (space,), np.float32)})
    assert taken < learner_memory(chosen, wide, 2) < taken + 3e9


def test_a_full_disk_is_enough_for_a_buffer_without_frames() -> None:
    _check("disk", need=0, free=-5e8, size=1000)
    with pytest.raises(InvalidConfig, match=r"0\.0 GB can be had: lower it to 0 at most"):
        _check("disk", need=1e9, free=-5e8, size=1000)


def test_networks_larger_than_memory_are_refused(tmp_path: Path) -> None:
    problem = refusal(tmp_path, VECTOR, hidden_sizes=[8192] * 8)["hidden_sizes"]
    assert "1,411 million weights" in problem
    assert "narrower" in problem


def test_a_batch_larger_than_memory_is_refused_and_what_it_takes_is_not_the_buffers(
    tmp_path: Path,
) -> None:
    wide = {"hidden_sizes": [4096, 4096], "learning_starts": 70_000, "total_steps": 80_000}
    problem = refusal(tmp_path, VECTOR, batch_size=65_536, **wide)["batch_size"]
    assert "lower batch_size or hidden_sizes" in problem
    alone, beside = (
        fitting(refusal(tmp_path, VECTOR, buffer_size=1_000_000_000, hidden_sizes=widths))
        for widths in ([8], [2048, 2048])
    )
    assert beside < alone - 3_000_000


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU")
def test_a_gpu_that_is_not_there_fails_the_run_with_the_remedy(make_lab: MakeLab) -> None:
    lab = make_lab(device="cuda")
    with pytest.raises(InvalidConfig, match="choose cpu or auto"), lab.attempt():
        pass
    with lab.database.read() as session:
        assert get_run(session, lab.run_id).state == "starting"
