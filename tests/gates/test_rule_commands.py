"""`pitwall rules`: presets out of and into YAML files."""

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from backend.cli import app
from backend.rules.presets import PRESETS

STRICT = """
name: strict
parameters:
  transition: {steps: 500, episodes: 10}
actions: {collapse: halt}
custom:
  - {name: q-high, kind: threshold, metric: learner/q1_mean, limit: 900, action: rollback}
"""


def test_a_preset_is_saved_from_yaml_in_versions_and_shown_as_yaml(tmp_path: Path) -> None:
    file, data = tmp_path / "strict.yaml", ["--data", str(tmp_path / "data")]
    file.write_text(STRICT)
    runner = CliRunner()
    for version in (1, 2):
        saved = runner.invoke(app, ["rules", "save", str(file), "--person", "Ada", *data])
        assert saved.output.strip() == f"saved strict@{version}"
    shown = yaml.safe_load(runner.invoke(app, ["rules", "show", "strict@1", *data]).output)
    assert shown["actions"] == {"collapse": "halt"}
    assert shown["custom"][0]["action"] == "rollback"
    listed = json.loads(runner.invoke(app, ["rules", "list", "--json", *data]).output)
    assert [(p["name"], p["version"]) for p in listed] == [
        ("behavioural", PRESETS["behavioural"].version),
        ("founding", PRESETS["founding"].version),
        ("strict", 2),
        ("strict", 1),
    ]
    built_in = yaml.safe_load(runner.invoke(app, ["rules", "show", "behavioural", *data]).output)
    assert built_in["parameters"]["transition"] == {"steps": 1_000, "episodes": 20}
