"""`pitwall import` and `pitwall export` as people and scripts call them."""

import json
import subprocess
import sys
from pathlib import Path

from backend.tensorboard.importer import read_tensorboard
from tests.tensorboard.conftest import WriteLog, users_log


def pitwall(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_log_goes_in_and_comes_out_identical(write_log: WriteLog, tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = write_log(users_log())
    imported = pitwall("import", "tensorboard", folder, "--name", "x", "--data", data, "--json")
    told = json.loads(imported.stdout)
    exported = pitwall("export", "x", tmp_path / "out", "--to", "tensorboard", "--data", data)

    assert (told["points"], told["metrics"], told["new"]) == (len(users_log()), 7, True)
    assert exported.returncode == 0, exported.stderr
    before, after = read_tensorboard(folder), read_tensorboard(tmp_path / "out")
    assert {metric: columns.step.tolist() for metric, columns in before.items()} == {
        metric: columns.step.tolist() for metric, columns in after.items()
    }
    assert all(before[metric].value.tobytes() == after[metric].value.tobytes() for metric in before)


def test_a_damaged_log_is_an_error_in_a_sentence(write_log: WriteLog, tmp_path: Path) -> None:
    folder = write_log(users_log())
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    failed = pitwall("import", "tensorboard", folder, "--data", tmp_path / "data")

    assert failed.returncode == 1
    assert failed.stderr.startswith("pitwall: events.out.tfevents")
    assert "nothing was imported" in failed.stderr
    assert "Traceback" not in failed.stderr
