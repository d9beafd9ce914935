"""Event files written by TensorBoard's own writer, as the users' trainers wrote theirs."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

Scalar = tuple[str, int, float, float]
WriteLog = Callable[..., Path]


@pytest.fixture
def write_log(tmp_path: Path) -> WriteLog:
    """Write (tag, index, wall time, value) into a log folder."""

    def write(scalars: Iterable[Scalar], subfolder: str = ".") -> Path:
        folder = tmp_path / "log"
        writer = EventFileWriter(str(folder / subfolder))
        for tag, index, time, value in scalars:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=index, wall_time=time, summary=summary))
        writer.close()
        return folder

    return write


@pytest.fixture
def reference_logs() -> Path:
    """The three real logs the reference verdicts were made from."""
    folder = os.environ.get("PITWALL_REFERENCE_LOGS")
    if not folder:
        pytest.skip("PITWALL_REFERENCE_LOGS does not name the folder of the reference logs")
    return Path(folder)


def users_log(episodes: int = 40, length: int = 25) -> list[Scalar]:
    """A log as the users' trainer writes it: episode tags by episode number, the rest by step."""
    scalars: list[Scalar] = []
    for step in range(1, episodes * length + 1):
        time = 1e9 + step * 0.05
        if step % 100 == 0:
            scalars.append(("progress/buffer_size", step, time, float(step)))
        if step >= 500 and step % 100 == 0:
            scalars.append(("train/exploration_noise", step, time, 0.3))
            scalars.append(("train/q1_value", step, time, step / 7))
        if step % length == 0:
            episode = step // length - 1
            scalars.append(("train/episode_reward", episode, time, float(episode)))
            scalars.append(("train/episode_length", episode, time, float(length)))
            if episode % 5 == 1:
                scalars.append(("rewards/safety_component", episode, time, -1.0))
                scalars.append(("custom/by_episode", episode, time, 2.0))
    return scalars
