"""A log becomes a finished run with every point at its place, once, or not at all."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from backend.database import Database
from backend.gates.stored import verdict_document
from backend.metrics.store import list_metrics, read_points
from backend.reports.export import evidence_of, export, report_document
from backend.runs.models import Run
from backend.tensorboard.events import UnreadableLog, read_events
from backend.tensorboard.importer import import_tensorboard, read_log, read_tensorboard
from tests.tensorboard.conftest import WriteLog, users_log

REFERENCE = {
    # log: points, metrics, learning starts, episodes, first step of NO-GO
    "5k-run": (2972, 81, 1000, 187, 1300),
    "13nov-5k": (2488, 39, 2500, 413, 2800),
    "20nov-r3": (2095, 54, 1000, 176, 1200),
}


def runs(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


def test_a_log_becomes_a_finished_run_with_every_scalar(
    database: Database, write_log: WriteLog
) -> None:
    scalars = users_log()
    result = import_tensorboard(database, write_log(scalars), "theirs", None, now=5.0)
    with database.read() as session:
        run = session.get_one(Run, result.run_id)
        stored = {m: read_points(session, run.id, m) for m in list_metrics(session, run.id)}

    assert (run.name, run.state, run.step, run.episode) == ("theirs", "finished", 1000, 39)
    assert run.config["learning_starts"] == 500
    assert result.points == len(scalars) == sum(len(columns) for columns in stored.values())
    assert result.metrics == len(stored) == 7
    assert stored["learner/q1_mean"].value.tolist() == [
        np.float32(value) for tag, _, _, value in scalars if tag == "train/q1_value"
    ]


def test_episode_tags_stand_at_the_end_of_their_episode(write_log: WriteLog) -> None:
    series = read_tensorboard(write_log(users_log()))

    assert series["episode/return"].step.tolist() == list(range(25, 1001, 25))
    assert series["episode/return"].episode.tolist() == list(range(40))
    assert series["episode/safety"].step.tolist() == [50, 175, 300, 425, 550, 675, 800, 925]
    assert series["custom/by_episode"].step.tolist() == series["episode/safety"].step.tolist()
    assert series["progress/buffer_size"].step.tolist() == list(range(100, 1001, 100))
    assert series["progress/buffer_size"].episode.tolist() == [3 + 4 * i for i in range(10)]


def test_a_log_on_env_steps_throughout_stays_as_it_is(write_log: WriteLog) -> None:
    scalars = [
        (tag, 25 * (i + 1), 1e9 + i, 25.0)
        for i in range(20)
        for tag in ("train/episode_length", "train/episode_reward")
    ]
    series = read_tensorboard(write_log(scalars))

    assert series["episode/length"].step.tolist() == [25 * (i + 1) for i in range(20)]


def test_episode_tags_without_lengths_are_named_in_the_report(write_log: WriteLog) -> None:
    log = read_log(write_log([("train/episode_reward", i, 1e9 + i, 1.0) for i in range(9)]))

    assert "train/episode_reward" in log.notes[0]
    assert "no episode lengths" in log.notes[0]


def test_two_tags_of_one_metric_are_both_kept(write_log: WriteLog) -> None:
    series = read_tensorboard(
        write_log([("train/q1_value", 1, 1e9, 2.0), ("debug/q1_mean", 1, 1e9, 3.0)])
    )

    assert series["learner/q1_mean"].value.tolist() == [3.0]
    assert series["train/q1_value"].value.tolist() == [2.0]


def test_the_learning_start_named_wins_over_the_one_read(
    database: Database, write_log: WriteLog
) -> None:
    result = import_tensorboard(database, write_log(users_log()), "", 250, now=5.0)
    with database.read() as session:
        run = session.get_one(Run, result.run_id)

    assert run.config["learning_starts"] == 250
    assert run.name == "log"


def test_importing_the_same_files_again_changes_nothing(
    database: Database, write_log: WriteLog
) -> None:
    folder = write_log(users_log())
    first = import_tensorboard(database, folder, "a", None, now=5.0)
    second = import_tensorboard(database, folder, "b", 3, now=6.0)

    assert (first.new, second.new) == (True, False)
    assert first.run_id == second.run_id
    assert runs(database) == 1


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.999])
def test_a_truncated_log_is_reported_and_leaves_nothing_behind(
    database: Database, write_log: WriteLog, keep: float
) -> None:
    folder = write_log(users_log())
    (file,) = folder.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])

    with pytest.raises(UnreadableLog, match="nothing was imported"):
        import_tensorboard(database, folder, "", None, now=5.0)
    assert runs(database) == 0


def test_a_corrupt_log_says_from_which_byte_on(database: Database, write_log: WriteLog) -> None:
    folder = write_log(users_log())
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)

    with pytest.raises(UnreadableLog, match=r"corrupt from byte \d+ of \d+ on.* points of 7 tags"):
        import_tensorboard(database, folder, "", None, now=5.0)
    assert runs(database) == 0


def test_every_event_is_read_as_tensorboards_own_reader_reads_it(write_log: WriteLog) -> None:
    folder = write_log(users_log())
    (file,) = folder.iterdir()
    theirs = [
        (value.tag, event.step, event.wall_time, value.simple_value)
        for event in LegacyEventFileLoader(str(file)).Load()
        for value in event.summary.value
    ]
    ours = read_events(folder).tags

    assert sorted(theirs) == sorted(
        (tag, *row)
        for tag, columns in ours.items()
        for row in zip(columns.step, columns.time, columns.value, strict=True)
    )


def test_folders_without_a_log_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLog, match="not a folder"):
        read_log(tmp_path / "nowhere")
    with pytest.raises(UnreadableLog, match="holds no event files"):
        read_log(tmp_path)


def test_a_folder_of_several_logs_names_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1").write_bytes(b"")

    with pytest.raises(UnreadableLog, match="import one of a, b"):
        read_log(tmp_path)


def test_what_add_scalars_wrote_into_subfolders_is_part_of_the_log(write_log: WriteLog) -> None:
    folder = write_log([("q", 1, 0.0, 1.0)])
    write_log([("car/speed", 1, 0.0, 2.0)], "car_speed_mean")
    write_log([("car/speed", 1, 0.0, 3.0)], "car_speed_top")
    write_log([("score", 1, 0.0, 4.0)], "other")
    values = {tag: columns.value.tolist() for tag, columns in read_events(folder).tags.items()}
    assert values == {
        "q": [1.0], "car/speed/mean": [2.0], "car/speed/top": [3.0], "other/score": [4.0]
    }  # fmt: skip


def test_a_log_of_no_scalars_is_refused(write_log: WriteLog) -> None:
    with pytest.raises(UnreadableLog, match="no scalars"):
        read_log(write_log([]))


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_logs_import_whole_and_their_verdict_is_no_go(
    database: Database, reference_logs: Path, name: str
) -> None:
    points, metrics, starts, episodes, no_go = REFERENCE[name]
    result = import_tensorboard(database, reference_logs / name, name, None, now=5.0)
    with database.read() as session:
        run = session.get_one(Run, result.run_id)
        returns = read_points(session, run.id, "episode/return")

    assert (result.points, result.metrics, result.problems) == (points, metrics, [])
    assert run.config["learning_starts"] == starts
    assert len(returns) == episodes
    assert (run.verdict, run.verdict_since_step) == ("no-go", no_go)


def test_what_is_no_number_reaches_the_verdict_and_spoils_no_figure(
    database: Database, write_log: WriteLog
) -> None:
    broken = {
        ("train/q1_value", 800): math.nan,
        ("train/episode_reward", 30): math.nan,
        ("rewards/safety_component", 31): math.inf,
    }
    scalars = [
        (tag, index, time, broken.get((tag, index), value))
        for tag, index, time, value in users_log()
    ]
    log = write_log([*scalars, ("agent/total_iterations", 1000, 2e9, math.nan)])
    result = import_tensorboard(database, log, "theirs", None, now=5.0)
    with database.read() as session:
        run = session.get_one(Run, result.run_id)
        behavioural = verdict_document(session, run.id)
        founding = verdict_document(session, run.id, "founding")
        evidence = evidence_of(session, run.id)

    assert (run.verdict, run.verdict_since_step) == ("no-go", 775)
    found = next(rule for rule in behavioural["rules"] if rule["name"] == "non_finite")
    assert (found["first"]["critical"], found["state"]) == (775, "critical")
    assert "episode/return" in run.verdict_sentence
    first = {rule["name"]: rule["first"]["critical"] for rule in founding["rules"]}
    assert (first["episode_return"], first["q_value"]) == (775, 800)

    told = report_document(evidence)
    json.dumps(told, allow_nan=False)
    assert [quarter["dropped"] for quarter in told["quarters"]] == [0, 0, 0, 1]
    assert told["quarters"][3]["mean"] == pytest.approx((sum(range(31, 40))) / 9)
    assert told["metrics"]["episode/return"]["dropped"] == 1
    assert told["phases"]["learning"]["return_mean"] is not None
    for form in ("md", "html", "tex"):
        assert not re.search(r"\b(nan|inf)\b", export(evidence, form).partition("<style")[0])
