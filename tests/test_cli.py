"""The command line: what it says when all is well, and when it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli.evaluations import evaluation_lines
from backend.database import Database
from backend.models import Base
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from backend.workers import service as fleet
from worker.probe import free_port


def pitwall(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_the_commands() -> None:
    shown = pitwall("--help")
    assert shown.returncode == 0
    for command in ("up", "train", "simulator", "runs", "serve", "worker", "doctor", "evaluate"):
        assert f" {command} " in shown.stdout


def test_runs_are_listed_as_json_and_as_text(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        create_run(session, "mine", "quickstart", parse_config("quickstart"), 0.0)
    database.close()
    (run,) = json.loads(pitwall("runs", "--json", "--data", str(tmp_path)).stdout)
    assert (run["id"], run["name"], run["state"], run["total_steps"]) == (
        1,
        "mine",
        "queued",
        30000,
    )
    assert "mine" in pitwall("runs", "--data", str(tmp_path)).stdout


def test_a_folder_without_data_is_named_with_the_remedy(tmp_path: Path) -> None:
    shown = pitwall("runs", "--data", str(tmp_path / "nothing"))
    assert shown.returncode == 1
    assert "there is no Pitwall data in" in shown.stderr
    assert "--data" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_wrong_configuration_is_refused_by_field_before_anything_is_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for option, problem in (
        ("gamma=2", "gamma"),
        ("nonsense=1", "'nonsense' is not a configuration key"),
        ("nonsense", "write key=value"),
    ):
        shown = pitwall("train", "--preset", "quickstart", "--set", option, "--data", str(data))
        assert shown.returncode == 1
        assert problem in shown.stderr
    assert not data.exists()
    assert "choose one of quickstart" in pitwall("train", "--preset", "nope").stderr


@pytest.mark.parametrize(("actor_learning_rate", "code"), [(0.001, 0), (10.0, 3)])
def test_the_exit_code_of_training_says_whether_the_plan_was_done(
    actor_learning_rate: float, code: int, tmp_path: Path
) -> None:
    chosen = {
        "environment": "gymnasium:Pendulum-v1",
        "total_steps": 2_000 if code == 0 else 20_000,
        "hidden_sizes": [16],
        "batch_size": 16,
        "learning_starts": 200,
        "evaluation_interval": 0,
        "random_reference_episodes": 0,
        "critic_learning_rate": actor_learning_rate,
        "actor_learning_rate": actor_learning_rate,
        "rollback_limit": 0,
    }
    settings = [
        part for name, value in chosen.items() for part in ("--set", f"{name}={json.dumps(value)}")
    ]
    shown = pitwall("train", "--preset", "quickstart", "--data", str(tmp_path), *settings)
    assert shown.returncode == code, shown.stdout + shown.stderr


def test_runs_are_deleted_by_name_or_by_age_and_only_when_over(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        for name, state, ended in (
            ("old", "finished", 1.0),
            ("new", "halted", 9e9),
            ("q", "queued", 0),
        ):
            run = create_run(session, name, "quickstart", parse_config("quickstart"), 0.0)
            run.state, run.ended_at = state, ended or None
    database.close()
    data = ("--data", str(tmp_path))
    assert "name runs" in pitwall("delete", *data).stderr
    assert "deleted run 1 (old)" in pitwall("delete", "--ended-before", "30", "--yes", *data).stdout
    refused = pitwall("delete", "q", "--yes", *data)
    assert (refused.returncode, "halt or cancel it" in refused.stderr) == (1, True)
    assert pitwall("delete", "new", *data).returncode == 1
    assert "deleted run 2 (new)" in pitwall("delete", "new", "--yes", *data).stdout
    left = json.loads(pitwall("runs", "--json", *data).stdout)
    assert [run["name"] for run in left] == ["q"]


def test_wrong_settings_are_refused_by_their_variable_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    for name, value, problem in (
        ("PITWALL_CARLA", "foo:bar", "'foo:bar' is not host:port: write for example"),
        ("PITWALL_CARLA_COMMAND", "./CarlaUE4.sh", "write -carla-rpc-port={port}"),
        ("PITWALL_SLOTS", "many", "PITWALL_SLOTS: must be a whole number"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            shown = pitwall("up", "--no-browser", "--port", "0", "--data", str(data))
        assert shown.returncode == 1
        assert problem in shown.stderr
        assert shown.stderr.count("\n") == 1
    assert not data.exists()


def test_evaluating_on_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    shown = pitwall("evaluate", "--policy", "random", "--carla", address, "--data", str(tmp_path))
    assert shown.returncode == 1
    assert shown.stderr.startswith(f"pitwall: nothing listens on {address}: start CARLA there")
    assert shown.stderr.count("\n") == 1


def test_a_server_that_a_run_drives_on_is_left_to_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'pitwall.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        fleet.register_simulator(session, "127.0.0.1", 2000, 0.0)
        fleet.lease(session, 7, "token", "w", 9000)
    database.close()
    server = ("--carla", "127.0.0.1:2000", "--data", str(tmp_path))
    for command in (("doctor",), ("evaluate", "--policy", "random")):
        shown = pitwall(*command, *server)
        assert shown.returncode == 1
        assert shown.stderr == (
            "pitwall: run 7 drives on 127.0.0.1:2000: halt it first, or name another server\n"
        )


def test_an_evaluation_is_read_line_by_line() -> None:
    found = {
        "policy": "pid-pursuit",
        "episodes": 20,
        "success_rate": 0.95,
        "success_interval": [0.7639, 0.9911],
        "return_mean": 1234.56,
        "return_std": 7.891,
        "collisions_per_km": 0.0,
        "completion_seconds": None,
        "means": {"route_percent": 99.5, "jerk": 1.25, "min_ttc": None},
        "records": [],
    }
    assert evaluation_lines(found) == [
        "policy             pid-pursuit",
        "episodes           20",
        "success            95 % (95 % interval 76 to 99 %, Wilson)",
        "return             1,235, standard deviation 7.89",
        "collisions per km  0",
        "route              99.5 %",
        "jerk               1.25 m/s^3",
    ]
