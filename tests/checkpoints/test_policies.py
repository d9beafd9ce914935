"""A checkpoint's policy acts as the agent did."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import CheckpointDamaged
from backend.runs.config import RunConfig
from tests.checkpoints.loop import CONFIG, VISION, Loop, seed_everything
from worker.policies import export_policy, load_policy


@pytest.mark.parametrize("config", [CONFIG, VISION], ids=["vector", "images"])
def test_a_loaded_policy_and_its_export_act_as_the_agent(config: RunConfig, tmp_path: Path) -> None:
    seed_everything()
    loop = Loop(config)
    loop.run(40)
    path = loop.save(tmp_path).path
    policy = load_policy(path)
    names = export_policy(path, tmp_path / "policy.pt")
    assert names == (("image", "command") if config.uses_images else ("vector",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        exported = torch.jit.load(tmp_path / "policy.pt")  # type: ignore[no-untyped-call]
    for _ in range(5):
        loop.run(1)
        parts = [torch.as_tensor(loop.observation[name])[None] for name in names]
        action = policy(loop.observation)
        np.testing.assert_allclose(exported(*parts)[0].numpy(), action, atol=1e-6)
    resumed = Loop(config)
    resumed.load(path)
    np.testing.assert_array_equal(
        policy(resumed.observation), resumed.agent.act(resumed.observation)
    )


def test_a_damaged_checkpoint_gives_no_policy(tmp_path: Path) -> None:
    path = Loop(CONFIG).save(tmp_path).path
    (path / "state.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointDamaged):
        load_policy(path)
