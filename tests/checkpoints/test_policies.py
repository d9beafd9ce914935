"""A checkpoint's policy acts as the agent did."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from backend.errors import CheckpointDamaged, PitwallError
from backend.runs.config import RunConfig
from tests.checkpoints.loop import CONFIG, VISION, Loop, seed_everything
from worker.policies import export_policy, load_policy, policy_for


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
        wide = {
            name: value if name == "image" else value.astype(np.float64)
            for name, value in loop.observation.items()
        }
        np.testing.assert_array_equal(policy(wide), action)
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


def test_a_policy_is_not_given_observations_it_was_not_trained_on(tmp_path: Path) -> None:
    loop = Loop(VISION)
    path = loop.save(tmp_path).path
    assert policy_for(path, loop.space).names == ("image", "command")
    blind = spaces.Dict({"vector": loop.space["vector"]})
    with pytest.raises(PitwallError, match="trained to see image"):
        policy_for(path, blind)


def test_a_policy_trained_on_a_gpu_acts_on_a_machine_without_one(tmp_path: Path) -> None:
    loop = Loop(CONFIG)
    loop.run(40)
    loop.config = loop.config.model_copy(update={"device": "cuda", "tf32": True})
    action = policy_for(loop.save(tmp_path).path, loop.space)(loop.observation)
    np.testing.assert_array_equal(action, loop.agent.act(loop.observation))
