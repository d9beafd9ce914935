"""Replay memory: every observation once, frame stacks by index, on a memory-mapped file if it has images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from worker.replay.batch import IMAGE, Batch, images_of
from worker.replay.regions import Arrays, Region, RegionView, SavedRegion
from worker.replay.slots import SlotQueue
from worker.replay.storage import allocate, map_frames, slots, stack_of

REGION_BYTES = 8 * 2**20

Observation = Mapping[str, NDArray[Any]]
CopyArray = Callable[[str, NDArray[Any]], NDArray[Any]]


def fresh(_name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The plain way to copy: into new memory."""
    return array.copy()


@dataclass(frozen=True)
class ReplayState:
    """A buffer's counters, as JSON can hold them, and views of the regions in use."""

    counters: dict[str, Any]
    regions: list[RegionView]


class ReplayBuffer:
    """The last `capacity` transitions, sampled uniformly with replacement.

    A slot holds one observation and, if a transition starts there, its action, reward and end. The next
    observation is the next slot's, and of an image stack only the newest frame is kept: an 84x84 stack of
    four costs 7.3 kB a transition instead of 56 kB. Stacks of an episode's first slots repeat its first
    frame, as the environment does at reset. Episodes shorter than 64 steps fill the spare slots, and then
    slightly fewer transitions than `capacity` are held.
    """

    def __init__(
        self,
        capacity: int,
        observation_space: spaces.Dict,
        action_dim: int,
        seed: int = 0,
        folder: Path | None = None,
        region_bytes: int = REGION_BYTES,
        pinned: bool = False,
    ) -> None:
        """`folder` is where the frames' file goes; it has no name and vanishes with the process.

        `region_bytes` is about the size of the files a checkpoint writes anew or shares. `pinned`: frames are
        sampled into memory a GPU reads by itself.
        """
        image = observation_space.spaces.get(IMAGE)
        self._stack = stack_of(observation_space)
        size = slots(capacity, self._stack)
        self._queue = SlotQueue(size, capacity)
        self._fields = [name for name in observation_space.spaces if name != IMAGE]
        self._arrays = allocate(size, observation_space, self._fields, action_dim)
        if image is not None and image.shape:
            self._arrays[IMAGE] = map_frames(size, image.shape[1:], folder)
        self._tensors = {name: torch.from_numpy(array) for name, array in self._arrays.items()}
        slot_bytes = sum(array[0].nbytes for array in self._arrays.values())
        self._regions = _cut(size, max(1, region_bytes // slot_bytes))
        self._region_slots = self._regions[0].end
        self._generator = np.random.default_rng([seed, 2])
        self._open = False
        self._pinned = pinned

    def __len__(self) -> int:
        return self._queue.count

    @property
    def capacity(self) -> int:
        return self._queue.capacity

    @property
    def bytes(self) -> int:
        """Of memory and mapped file, allocated for the full buffer."""
        return self._queue.bytes + sum(array.nbytes for array in self._arrays.values())

    def add(
        self,
        observation: Observation,
        action: NDArray[np.float32],
        reward: float,
        next_observation: Observation,
        terminated: bool,
        truncated: bool,
    ) -> None:
        """Store one transition; `observation` is the `next_observation` before, or an episode's first."""
        if not (self._open and self._continues(observation)):
            self._append(observation, age=0)
        start = self._queue.head - 1
        place = start % self._queue.size
        self._touch(place)
        age = int(self._arrays["age"][place])
        self._arrays["action"][place] = action
        self._arrays["reward"][place] = reward
        self._arrays["terminated"][place] = terminated
        self._arrays["linked"][place] = True
        self._append(next_observation, age + 1)
        self._queue.link(start, min(age, max(self._stack - 1, 0)))
        self._open = not (terminated or truncated)

    def sample(self, batch_size: int) -> Batch:
        """`batch_size` transitions, uniform with replacement."""
        order = self._generator.integers(0, len(self), batch_size)
        return self.gather(self._queue.starts(order))

    def gather(self, starts: NDArray[np.int64]) -> Batch:
        """The transitions that start in these slots; they must still be held."""
        here = torch.from_numpy(starts % self._queue.size)
        there = torch.from_numpy((starts + 1) % self._queue.size)
        observations = {name: self._tensors[name][here] for name in self._fields}
        next_observations = {name: self._tensors[name][there] for name in self._fields}
        frames = self._frames(starts) if self._stack else None
        if frames is not None:
            observations[IMAGE], next_observations[IMAGE] = images_of(frames)
        return Batch(
            observations,
            self._tensors["action"][here],
            self._tensors["reward"][here],
            next_observations,
            self._tensors["terminated"][here].float(),
            starts,
            frames,
        )

    def survey(self, name: str, column: int, most: int) -> NDArray[np.float32]:
        """One number of a field, of up to `most` transitions evenly spread over those held."""
        order = np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)
        found: NDArray[np.float32] = self._arrays[name][
            self._queue.starts(order) % self._queue.size, column
        ]
        return found

    def _frames(self, starts: NDArray[np.int64]) -> torch.Tensor:
        """[B, stack + 1, H, W]: the frames of s and the newest of s'."""
        size = self._queue.size
        age = self._arrays["age"][starts % size].astype(np.int64)
        back = np.minimum(np.arange(self._stack - 1, -1, -1), age[:, None])
        numbers = np.concatenate([starts[:, None] - back, starts[:, None] + 1], axis=1)
        flat = torch.from_numpy((numbers % size).reshape(-1))
        stored = self._tensors[IMAGE]
        frames = torch.empty(
            len(flat), *stored.shape[1:], dtype=stored.dtype, pin_memory=self._pinned
        )
        # index_select copies whole rows; indexing with a 2-D index is thirty times slower on uint8
        torch.index_select(stored, 0, flat, out=frames)
        return frames.view(len(starts), self._stack + 1, *stored.shape[1:])

    def _append(self, observation: Observation, age: int) -> None:
        place = self._queue.append() % self._queue.size
        self._touch(place)
        for name in self._fields:
            self._arrays[name][place] = observation[name]
        if self._stack:
            self._arrays[IMAGE][place] = observation[IMAGE][-1]
        # beyond the stack the age no longer matters
        self._arrays["age"][place] = min(age, 255)
        self._arrays["linked"][place] = False

    def _continues(self, observation: Observation) -> bool:
        place = (self._queue.head - 1) % self._queue.size
        return all(
            np.array_equal(self._arrays[name][place], observation[name].astype(np.float32))
            for name in self._fields
        )

    def _touch(self, place: int) -> None:
        self._region_of(place).touch()

    def state(self) -> ReplayState:
        """Counters and views of what was ever written, valid until more is added."""
        oldest = int(self._queue.starts(np.zeros(1, np.int64))[0]) if len(self) else 0
        counters = {
            "head": self._queue.head,
            "oldest": oldest,
            "open": self._open,
            "size": self._queue.size,
            "generator": self._generator.bit_generator.state,
        }
        return ReplayState(counters, [self._view(region) for region in self._used_regions()])

    def capture(self, copy: CopyArray = fresh) -> ReplayState:
        """The state as it is now, valid while more is added, until each region is released.

        The region under way is copied, by `copy`. The others are not: should the ring come round to one of them
        before it is released, `add` waits.
        """
        state = self.state()
        under_way = self._region_of(max(0, self._queue.head - 1) % self._queue.size)
        regions = [
            _copied(view, copy) if view.region is under_way else _held(view)
            for view in state.regions
        ]
        return ReplayState(state.counters, regions)

    def _used_regions(self) -> list[Region]:
        return [region for region in self._regions if region.begin < self._used]

    @property
    def _used(self) -> int:
        return min(self._queue.head, self._queue.size)

    def _view(self, region: Region) -> RegionView:
        end = min(region.end, self._used)
        arrays = {name: array[region.begin : end] for name, array in self._arrays.items()}
        saved, earlier = (
            file if file and file.version == region.version else None
            for file in (region.saved, region.earlier)
        )
        return RegionView(region, region.version, arrays, saved, earlier)

    def _region_of(self, place: int) -> Region:
        return self._regions[place // self._region_slots]

    def load_region(self, name: str, arrays: Arrays, saved: SavedRegion | None = None) -> None:
        """Put back one region as `state()` gave it; `saved` is the file it was read from."""
        region = next(region for region in self._regions if region.name == name)
        for field, values in arrays.items():
            self._arrays[field][region.begin : region.begin + len(values)] = values
        region.version = saved.version if saved else 1
        region.saved, region.earlier = saved, None

    def load_counters(self, counters: Mapping[str, Any]) -> None:
        """Put back the counters, after all regions."""
        size = self._queue.size
        if counters["size"] != size:
            raise ValueError(
                f"the saved buffer has {counters['size']} slots, this one {size}: "
                "resume with the buffer_size it was saved with"
            )
        self._queue = SlotQueue(size, self.capacity)
        self._queue.head = counters["head"]
        for start in range(counters["oldest"], counters["head"]):
            if self._arrays["linked"][start % size]:
                age = int(self._arrays["age"][start % size])
                self._queue.link(start, min(age, max(self._stack - 1, 0)))
        self._open = counters["open"]
        self._generator.bit_generator.state = counters["generator"]


def _copied(view: RegionView, copy: CopyArray) -> RegionView:
    return replace(view, arrays={name: copy(name, array) for name, array in view.arrays.items()})


def _held(view: RegionView) -> RegionView:
    view.region.hold()
    return replace(view, held=True)


def _cut(size: int, slots: int) -> list[Region]:
    return [
        Region(f"replay-{begin // slots:05d}.safetensors", begin, min(begin + slots, size))
        for begin in range(0, size, slots)
    ]
