"""N steps, save, load, N steps equal 2N steps, to the last bit."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.runs.config import RunConfig
from tests.checkpoints.loop import CONFIG, VISION, Loop, seed_everything
from worker import trees
from worker.checkpointing import write_checkpoint


def everything(loop: Loop) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """All state there is, as JSON values and tensors."""
    replay = loop.replay.state()
    return trees.split(
        {
            "agent": loop.agent.state_dict(),
            "exploration": loop.exploration.state_dict(),
            "replay": replay.counters,
            "regions": {
                view.region.name: {name: array.copy() for name, array in view.arrays.items()}
                for view in replay.regions
            },
            "loop": {"step": loop.step, "episode": loop.episode, "seed": loop.seed},
            "observation": loop.observation,
            "python": str(random.getstate()),
            "numpy": np.random.get_state()[1],
            "torch": torch.get_rng_state(),
        }
    )


def assert_same(first: Loop, second: tuple[dict[str, Any], dict[str, torch.Tensor]]) -> None:
    plain, tensors = everything(first)
    assert plain == second[0]
    assert tensors.keys() == second[1].keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, second[1][name]), name


@pytest.mark.parametrize(
    ("config", "before", "after"),
    [(CONFIG, 20, 60), (CONFIG, 110, 150), (CONFIG, 80, 80), (VISION, 50, 30)],
    ids=["exploring", "mid-episode, wrapping", "between episodes", "images"],
)
def test_a_resumed_run_is_the_run_that_never_stopped(
    config: RunConfig, before: int, after: int, tmp_path: Path
) -> None:
    seed_everything()
    straight = Loop(config)
    straight.run(before)
    files = straight.save(tmp_path)
    straight.run(after)
    expected = everything(straight)

    random.seed(77)
    resumed = Loop(config.model_copy(update={"seed": 99}))
    resumed.config = config
    resumed.load(files.path)
    resumed.run(after)
    assert_same(resumed, expected)


def test_saving_changes_nothing(tmp_path: Path) -> None:
    seed_everything()
    quiet = Loop(CONFIG)
    quiet.run(90)
    expected = everything(quiet)
    seed_everything()
    saving = Loop(CONFIG)
    for _ in range(9):
        saving.run(10)
        saving.save(tmp_path)
    assert_same(saving, expected)


def test_a_run_killed_by_the_system_goes_on_exactly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.checkpoints.loop", str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"saved\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    seed_everything()
    straight = Loop(CONFIG)
    straight.run(200)
    expected = everything(straight)
    resumed = Loop(CONFIG)
    resumed.load(next(tmp_path.iterdir()))
    resumed.run(90)
    assert_same(resumed, expected)


def test_a_checkpoint_written_while_training_goes_on_is_the_moment_it_was_captured(
    tmp_path: Path,
) -> None:
    seed_everything()
    straight = Loop(CONFIG)
    straight.run(100)
    expected = everything(straight)
    capture = straight.capture(tmp_path)
    straight.run(20)
    files = write_checkpoint(capture)
    straight.run(20)
    again = straight.save(tmp_path)
    resumed = Loop(CONFIG)
    resumed.load(files.path)
    assert_same(resumed, expected)
    resumed.load(again.path)
    assert resumed.step == 140


def test_each_of_a_row_of_checkpoints_is_its_own_moment(tmp_path: Path) -> None:
    seed_everything()
    straight = Loop(VISION)
    moments = []
    for _ in range(4):
        straight.run(20)
        moments.append((straight.save(tmp_path).path, everything(straight)))
    for path, expected in moments:
        resumed = Loop(VISION)
        resumed.load(path)
        assert_same(resumed, expected)
