"""The examples of docs/client.md, run as a user would: in a fresh interpreter, against the real server."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from tests.web.server import ROOT, TOKEN, ServerProcess

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/client.md").read_text(), re.DOTALL)
UNFINISHED = """
from backend.client import Pitwall
run = Pitwall().run()
run.log({"my/x": 1}, step=3)
"""


def run_script(server: ServerProcess, script: str, folder: Path) -> None:
    where = {
        "PITWALL_URL": server.url,
        "PITWALL_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    environment = {**os.environ, **where}
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("example", "metric", "step"),
    [
        (EXAMPLES[0], "learner/critic_loss", 500),
        (EXAMPLES[1], "speed/top", 199),
        pytest.param(
            EXAMPLES[2],
            "episode/return",
            600,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(
                    find_spec("stable_baselines3") is None,
                    reason="stable-baselines3 is not installed",
                ),
            ],
        ),
    ],
    ids=["loop", "summary writer", "stable-baselines3"],
)
def test_an_example_of_the_document_becomes_a_finished_run(
    server: ServerProcess, api: httpx.Client, tmp_path: Path, example: str, metric: str, step: int
) -> None:
    run_script(server, example, tmp_path)
    run = api.get("/api/v1/runs").json()[0]
    metrics = api.get(f"/api/v1/runs/{run['id']}/metrics").json()
    assert run["state"] == "finished"
    assert {found["name"]: found["last_step"] for found in metrics}[metric] == step


@pytest.mark.parametrize(
    ("ending", "state", "reason"),
    [
        ("", "finished", "all planned steps are done"),
        ("raise OSError('disk full')", "failed", "OSError: disk full"),
    ],
)
def test_a_script_that_does_not_finish_its_run_ends_it_at_its_exit(
    server: ServerProcess, api: httpx.Client, tmp_path: Path, ending: str, state: str, reason: str
) -> None:
    run_script(server, f"{UNFINISHED}\n{ending}", tmp_path)
    run = api.get("/api/v1/runs").json()[0]
    assert (run["state"], run["state_reason"], run["step"]) == (state, reason, 3)
