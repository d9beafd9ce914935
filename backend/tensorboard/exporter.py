"""TensorBoard out: a run's metrics as an event file that TensorBoard shows and Pitwall reads back exactly."""

import time
from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from pathlib import Path

from sqlalchemy.orm import Session
from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE

from backend.errors import PitwallError
from backend.metrics.reader import iter_points, list_metrics
from backend.tensorboard.events import EPISODE
from backend.tensorboard.records import write_record

Row = tuple[int, int, float, str, float]
SCALARS = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))


def export_tensorboard(session: Session, run_id: int, folder: Path) -> int:
    """Write the run along its lineage into a new event file of `folder`; the number of points written.

    Values are 64-bit tensors and the episode stands in each event's source, so that an import gives
    back every point as it was.

    Raises:
        PitwallError: when the folder holds event files already: TensorBoard would mix them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*tfevents*")):
        raise PitwallError(f"{folder} holds event files already: export into an empty folder")
    path = folder / f"events.out.tfevents.{int(time.time())}.pitwall"
    partial = path.with_name(f".partial-{run_id}")
    count = 0
    with partial.open("wb") as file:
        version = Event(wall_time=time.time(), file_version="brain.Event:2")
        write_record(file, version.SerializeToString())
        for event in _events(session, run_id):
            write_record(file, event.SerializeToString())
            count += len(event.summary.value)
    partial.replace(path)
    return count


def _events(session: Session, run_id: int) -> Iterator[Event]:
    """One event for all values of a moment, in the order of steps."""
    streams = [_rows(session, run_id, metric) for metric in list_metrics(session, run_id)]
    rows = merge(*streams, key=lambda row: row[0])
    for (step, episode, at), moment in groupby(rows, key=lambda row: row[:3]):
        values = [
            Summary.Value(tag=metric, metadata=SCALARS, tensor=_double(value))
            for *_, metric, value in moment
        ]
        yield Event(
            step=step,
            wall_time=at,
            summary=Summary(value=values),
            source_metadata=SourceMetadata(writer=f"{EPISODE}{episode}"),
        )


def _rows(session: Session, run_id: int, metric: str) -> Iterator[Row]:
    for _, columns in iter_points(session, run_id, metric):
        for step, episode, at, value in zip(*(a.tolist() for a in columns.arrays), strict=True):
            yield step, episode, at, metric, value


def _double(value: float) -> TensorProto:
    return TensorProto(dtype=DT_DOUBLE, double_val=[value])
