"""Save and load everything a trainer needs to go on exactly where it was."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from gymnasium import spaces

from backend.checkpoints.files import (
    CheckpointFiles,
    Draft,
    FileEntry,
    drafting,
    keep_apart,
    read_file,
    read_manifest,
    unused_path,
)
from backend.errors import CheckpointDamaged
from backend.runs.config import RunConfig
from worker import trees
from worker.replay.buffer import CopyArray, ReplayBuffer, fresh
from worker.replay.regions import Arrays, RegionView, SavedRegion
from worker.stages import Tell, untold
from worker.tensorfile import serialise

STATE_FILE = "state.safetensors"
WRITERS = 4
Tree = dict[str, Any]


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself besides the state."""

    config: RunConfig
    kind: str
    step: int
    episode: int
    updates: int
    observation_space: spaces.Dict
    action_dim: int


@dataclass
class TrainerState:
    """State of each part as its `state_dict()` gives it; nested dicts of tensors, arrays and JSON values.

    `progress` is the trainer's own: counters, best evaluation, the episode under way (its seed and the
    actions so far, which replay it). Arrays come back from `load_checkpoint` as tensors.
    """

    agent: Tree
    exploration: Tree
    progress: Tree
    rng: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class Capture:
    """A checkpoint as it will be: memory nobody writes to, until `write_checkpoint` lets go of it."""

    info: CheckpointInfo
    path: Path
    contents: Tree
    arrays: Arrays
    regions: list[RegionView]


def capture_checkpoint(
    folder: Path,
    state: TrainerState,
    replay: ReplayBuffer,
    info: CheckpointInfo,
    copy: CopyArray = fresh,
) -> Capture:
    """What `write_checkpoint` writes to `folder/step-KIND`, in another thread if wanted.

    Takes milliseconds; training may go on at once. `state` must hold copies; `copy` makes those of the
    buffer.
    """
    plain, tensors = trees.split(vars(state))
    stored = replay.capture(copy)
    return Capture(
        info,
        unused_path(folder, f"step-{info.step:09d}-{info.kind}"),
        {**_describe(info), "state": plain, "replay": stored.counters},
        {name: tensor.numpy() for name, tensor in tensors.items()},
        stored.regions,
    )


def write_checkpoint(capture: Capture) -> CheckpointFiles:
    """Write it whole or not at all; durable when this returns. To be called once for each capture.

    Regions of the replay buffer that did not change since its last checkpoint are hard links to it; `separate`
    then gives them files of their own.

    Raises:
        CheckpointError: the disk is full or fails; earlier checkpoints are whole.
    """
    path = capture.path
    try:
        # hashing, writing and syncing all let go of the interpreter
        with drafting(path) as draft, ThreadPoolExecutor(WRITERS) as pool:
            jobs = [pool.submit(draft.write, STATE_FILE, *serialise(capture.arrays))]
            jobs += [pool.submit(_write_region, draft, view) for view in capture.regions]
            entries = [job.result() for job in jobs]
            total, sha256 = draft.seal(capture.contents)
    finally:
        for view in capture.regions:
            view.release()
    for view, entry in zip(capture.regions, entries[1:], strict=True):
        name = view.region.name
        view.region.earlier = view.saved
        view.region.saved = SavedRegion(path / name, entry.sha256, view.version)
    return CheckpointFiles(path, total, sha256)


def separate(
    capture: Capture, go_on: Callable[[], bool] = lambda: True, in_turn: bool = True
) -> None:
    """Part a written checkpoint from the one before: no file that rots shall take both along.

    It shares with the one before that instead, or has a copy: of every region there are two files, used `in_turn`.
    Where retention keeps one checkpoint beside the best, turns would bring these two together. `go_on` is asked
    before each region; the next checkpoint makes up for those left.

    Raises:
        CheckpointDamaged: a file of the checkpoint before has changed since it was written, and this one shares
            it. The next one shares it no more: it writes that region from memory.
    """
    damage = None
    for view in capture.regions:
        if not go_on():
            break
        if view.saved is None:
            continue
        earlier = view.earlier.path if view.earlier and in_turn else None
        try:
            keep_apart(capture.path, view.region.name, view.saved.path, view.saved.sha256, earlier)
        except CheckpointDamaged as error:
            view.region.saved = view.region.earlier = None
            damage = error
    if damage is not None:
        raise damage


def load_checkpoint(
    path: Path, replay: ReplayBuffer | None = None, tell: Tell = untold
) -> TrainerState:
    """The state saved at `path`; the buffer's contents go straight into `replay` if one is given.

    Every file read is checked against its hash first.

    Raises:
        CheckpointDamaged: with the name of the file at fault.
    """
    manifest = read_manifest(path)
    files = manifest["files"]
    tell("restoring: file", 1, len(files))
    data = read_file(path, STATE_FILE, files[STATE_FILE])
    state = TrainerState(**trees.join(manifest["state"], safetensors.torch.load(data)))
    if replay is not None:
        regions = [(name, entry) for name, entry in files.items() if name != STATE_FILE]
        for number, (name, entry) in enumerate(regions, 2):
            tell("restoring: file", number, len(files))
            arrays = safetensors.numpy.load(read_file(path, name, entry))
            replay.load_region(name, arrays, SavedRegion(path / name, entry["sha256"], 0))
        replay.load_counters(manifest["replay"])
    return state


def capture_rng() -> Tree:
    """States of the global generators of python, numpy and torch."""
    _, words, position, has_gauss, cached = np.random.get_state(legacy=True)
    kind, internal, gauss = random.getstate()
    captured: Tree = {
        "python": {"version": kind, "words": list(internal), "gauss": gauss},
        "numpy": {
            "words": np.asarray(words),
            "position": position,
            "has_gauss": has_gauss,
            "cached": cached,
        },
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        captured["cuda"] = torch.cuda.get_rng_state()
    return captured


def restore_rng(state: Mapping[str, Any]) -> None:
    """Set the global generators back to a captured state."""
    python, legacy = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
    words = np.asarray(legacy["words"])
    np.random.set_state(
        ("MT19937", words, legacy["position"], legacy["has_gauss"], legacy["cached"])
    )
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _write_region(draft: Draft, view: RegionView) -> FileEntry:
    name = view.region.name
    if view.saved is not None and draft.link(name, view.saved.path, view.saved.sha256):
        return draft.entries[name]
    return draft.write(name, *serialise(view.arrays))


def _describe(info: CheckpointInfo) -> Tree:
    return {
        "pitwall": version("pitwall"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "kind": info.kind,
        "step": info.step,
        "episode": info.episode,
        "updates": info.updates,
        "config": info.config.model_dump(mode="json"),
        "config_hash": info.config.hash,
        "observation_shapes": {
            name: list(space.shape or ()) for name, space in info.observation_space.spaces.items()
        },
        "action_dim": info.action_dim,
    }
