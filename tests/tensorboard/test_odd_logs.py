"""Event files no sound writer leaves: each is read as far as it means something, or refused in a sentence."""

import math
from pathlib import Path

import pytest
from tensorboard.compat.proto import types_pb2
from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto

from backend.tensorboard.events import UnreadableLog, read_events
from backend.tensorboard.importer import read_tensorboard
from backend.tensorboard.records import LENGTH, _masked, write_record
from tests.tensorboard.conftest import WriteLog


def event(tag: str = "loss", step: int = 1, time: float = 1e9, **source: SourceMetadata) -> Event:
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=1.0)])
    return Event(step=step, wall_time=time, summary=summary, **source)


def written(folder: Path, *events: Event) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.out.tfevents.1").open("wb") as file:
        for one in events:
            write_record(file, one.SerializeToString())
    return folder


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (event(step=2**31), "step 2147483648: steps go to 2,147,483,647"),
        (event(step=-(2**40)), "steps go to"),
        (event(time=math.nan), "wall time is no number"),
        (event(tag="x" * 201), "has 201 characters: a metric's name is 1 to 200"),
        (event(tag=""), "has 0 characters"),
        (event(tag="lo\0ss"), "printable"),
    ],
    ids=["late step", "early step", "time", "long tag", "no tag", "control character"],
)
def test_what_no_metric_can_be_is_refused_by_name(tmp_path: Path, odd: Event, words: str) -> None:
    with pytest.raises(UnreadableLog, match=words):
        read_events(written(tmp_path / "log", event(), odd))


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"1.5"),
        TensorProto(dtype=types_pb2.DT_VARIANT),
        TensorProto(dtype=types_pb2.DT_COMPLEX64, scomplex_val=[1, 2]),
        TensorProto(dtype=types_pb2.DT_FLOAT),
        TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"ab"),
        TensorProto(),
    ],
    ids=["text", "variant", "complex", "no value", "half a value", "no kind"],
)
def test_a_tensor_that_is_no_number_is_left_out_and_counted(
    tmp_path: Path, tensor: TensorProto
) -> None:
    odd = Event(step=1, summary=Summary(value=[Summary.Value(tag="odd", tensor=tensor)]))
    found = read_events(written(tmp_path / "log", event(), odd))
    assert list(found.tags) == ["loss"]
    assert found.notes == ["1 tensor summaries were left out: only scalars are metrics"]


@pytest.mark.parametrize("episode", ["x", "9" * 20, "-1"])
def test_a_writer_that_only_begins_like_pitwall_is_another(tmp_path: Path, episode: str) -> None:
    theirs = event(source_metadata=SourceMetadata(writer=f"pitwall episode {episode}"))
    found = read_events(written(tmp_path / "log", theirs))
    assert not found.native
    assert found.tags["loss"].episode.tolist() == [0]


def test_a_record_longer_than_any_memory_is_damage(tmp_path: Path) -> None:
    folder = written(tmp_path / "log", event())
    length = LENGTH.pack(2**62)
    with (folder / "events.out.tfevents.1").open("ab") as file:
        file.write(length + _masked(length) + b"abc")
    with pytest.raises(UnreadableLog, match=r"corrupt from byte \d+ of \d+ on. 1 points of 1 tags"):
        read_events(folder)


@pytest.mark.parametrize("length", [3e38, -5.0])
def test_lengths_no_episode_has_make_no_clock(write_log: WriteLog, length: float) -> None:
    lengths = [100.0, 100.0, length, 100.0]
    log = write_log(("train/episode_length", i, 1e9 + i, value) for i, value in enumerate(lengths))
    assert read_tensorboard(log)["episode/length"].step.tolist() == [0, 1, 2, 3]
