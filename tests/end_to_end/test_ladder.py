"""A ladder of two small stages on the embedded simulator, with a person's acceptance in between."""

import json
import os
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.product import Start, Up

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(400)]

PLAN = """\
name: Two small stages
stages:
  - name: validation
    preset: quickstart
    config: {total_steps: 500, hidden_sizes: [16, 16], batch_size: 16, learning_starts: 200,
             evaluation_interval: 0, random_reference_episodes: 0, max_episode_ticks: 200}
    gates:
      - at: 500
        checks:
          - {measure: mean episode/return, name: return, low: 1000000}
  - name: further
    start: continue
    config: {total_steps: 800}
    gates: none
    verdict: ignored
"""


def pitwall(*arguments: str) -> Any:
    """What the command line prints as JSON."""
    shown = subprocess.run(
        [sys.executable, "-m", "backend.cli", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def until_state(up: Up, ladder_id: int, state: str, seconds: float = 150) -> dict[str, Any]:
    give_up = time.monotonic() + seconds
    while (ladder := up.call(f"/api/v1/ladders/{ladder_id}"))["state"] != state:
        assert time.monotonic() < give_up, ladder
        time.sleep(0.2)
    found: dict[str, Any] = ladder
    return found


def test_two_stages_run_end_to_end_with_an_acceptance_in_between(
    start: Start, tmp_path: Path
) -> None:
    up = start()
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    data = ("--data", str(up.data))
    begun = pitwall("ladder", "start", str(file), "--by", "Ada", *data)
    assert (begun["state"], begun["person"]) == ("running", "Ada")

    waiting = until_state(up, begun["id"], "waiting")
    first = waiting["stages"][0]
    assert (first["state"], first["step"]) == ("waiting", 500)
    (gate,) = first["gates"]
    assert (gate["at"], gate["outcome"]) == (500, "conditional")
    assert "return" in first["reason"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        up.call(f"/api/v1/ladders/{begun['id']}/accept", {"person": "", "reason": ""})
    with refused.value as answer:
        assert answer.code == 422

    accepted = up.call(
        f"/api/v1/ladders/{begun['id']}/accept", {"person": "Ada", "reason": "it is a test"}
    )
    assert accepted["stages"][1]["state"] == "running"
    until_state(up, begun["id"], "passed")
    shown = pitwall("ladder", "show", str(begun["id"]), *data)
    assert [stage["state"] for stage in shown["stages"]] == ["passed", "passed"]
    assert shown["stages"][0]["accepted_reason"] == "it is a test"
    run_id = shown["stages"][1]["run_id"]
    assert run_id == first["run_id"]
    assert up.run(run_id)["step"] == 800
    assert [s["start_step"] for s in up.segments(run_id)] == [0, 500]
    assert [entry["name"] for entry in pitwall("ladder", "list", *data)] == ["Two small stages"]
