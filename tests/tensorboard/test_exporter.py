"""What is exported reads back to the last bit, by Pitwall and by TensorBoard."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from backend.database import Database
from backend.errors import PitwallError
from backend.metrics.store import Columns, append_columns, list_metrics, read_points
from backend.runs.models import Run, Segment
from backend.tensorboard.exporter import export_tensorboard
from backend.tensorboard.importer import import_tensorboard, read_tensorboard

METRICS = ("episode/return", "learner/q1_mean", "my/own", "progress/speed")


@pytest.fixture
def run_id(database: Database) -> int:
    """Four metrics, not finite now and then, over two segments."""
    rng = np.random.default_rng(0)
    with database.write() as session:
        run = Run(
            name="run",
            preset="quickstart",
            config={},
            config_hash="",
            state="finished",
            desired="run",
            total_steps=1500,
            created_at=0.0,
        )
        session.add(run)
        session.flush()
        parent = None
        for number, (first, last) in enumerate([(0, 900), (801, 1500)], start=1):
            segment = Segment(
                run_id=run.id,
                number=number,
                parent_id=parent,
                checkpoint_id=parent,
                start_step=max(first - 1, 0),
                created_at=0.0,
            )
            session.add(segment)
            session.flush()
            parent = run.segment_id = segment.id
            step = np.arange(first, last + 1)
            for metric in METRICS:
                value = rng.normal(size=len(step))
                value[::100] = np.nan
                append_columns(
                    session,
                    segment.id,
                    {metric: Columns.of(step, step // 7, 1.7e9 + step / 3, value)},
                )
        return run.id


def test_an_exported_run_is_read_back_to_the_last_bit(
    database: Database, run_id: int, tmp_path: Path
) -> None:
    with database.read() as session:
        expected = {
            metric: read_points(session, run_id, metric) for metric in list_metrics(session, run_id)
        }
        written = export_tensorboard(session, run_id, tmp_path / "out")
    series = read_tensorboard(tmp_path / "out")

    assert written == sum(len(columns) for columns in series.values())
    for metric, columns in expected.items():
        for one, other in zip(series[metric].arrays, columns.arrays, strict=True):
            assert one.tobytes() == other.tobytes()


def test_an_exported_run_can_be_imported_again(
    database: Database, run_id: int, tmp_path: Path
) -> None:
    with database.read() as session:
        export_tensorboard(session, run_id, tmp_path / "out")
    result = import_tensorboard(database, tmp_path / "out", "copy", None, now=5.0)
    with database.read() as session:
        one, other = (
            read_points(session, run_id, "episode/return") for id in (run_id, result.run_id)
        )

    assert result.new
    assert one.episode.tolist() == other.episode.tolist()
    assert one.value.tobytes() == other.value.tobytes()


def test_tensorboard_itself_reads_the_values(
    database: Database, run_id: int, tmp_path: Path
) -> None:
    with database.read() as session:
        export_tensorboard(session, run_id, tmp_path / "out")
        expected = read_points(session, run_id, "episode/return")
    accumulator = EventAccumulator(str(tmp_path / "out"), size_guidance={"tensors": 0})
    accumulator.Reload()
    shown = accumulator.Tensors("episode/return")

    assert [event.step for event in shown] == expected.step.tolist()
    values = [make_ndarray(event.tensor_proto).item() for event in shown]
    assert np.array_equal(values, expected.value, equal_nan=True)


def test_a_folder_with_event_files_is_not_written_into(
    database: Database, run_id: int, tmp_path: Path
) -> None:
    with database.read() as session:
        export_tensorboard(session, run_id, tmp_path)
        with pytest.raises(PitwallError, match="export into an empty folder"):
            export_tensorboard(session, run_id, tmp_path)
