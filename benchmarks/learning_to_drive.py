"""How long a preset takes to learn its route, through the whole product: one run a seed, one after the other.

    python benchmarks/learning_to_drive.py --preset quickstart --seeds 0,1,2

Learnt means two evaluations in a row, each of all configured episodes, with a success rate of at least
80 %. Time is counted from the run's first training step to the end of the second of them, evaluations
included. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.database import Database
from backend.metrics.store import read_points
from backend.runs.config import parse_config
from backend.runs.service import list_runs

SUCCESS = 0.8


@dataclass(frozen=True)
class Learnt:
    """Where one seed had learnt; None if it had not within its steps."""

    seed: int
    steps: int | None
    seconds: float | None
    evaluations: int
    final_success: float
    verdict: str


def main() -> None:
    arguments = _arguments()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    found = [_learn(arguments.preset, seed, arguments.steps, arguments.set) for seed in seeds]
    _table(found)
    times = [learnt.seconds for learnt in found if learnt.seconds is not None]
    summary = {
        "name": f"{arguments.preset}: seconds until learnt, worst seed",
        "value": max(times) if len(times) == len(seeds) else None,
        "unit": "s",
        "seeds": [asdict(learnt) for learnt in found],
    }
    print(json.dumps(summary))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=15_000, help="steps of each run")
    parser.add_argument("--set", action="append", default=[], help="key=value, as `pitwall train`")
    return parser.parse_args()


def _learn(preset: str, seed: int, steps: int, overrides: list[str]) -> Learnt:
    """Train one seed in the foreground in a folder of its own and read what its database says."""
    settings = [part for override in overrides for part in ("--set", override)]
    with tempfile.TemporaryDirectory(prefix="pitwall-") as folder:
        command = [sys.executable, "-m", "backend.cli", "train", "--data", folder]
        command += ["--preset", preset, "--seed", str(seed), "--steps", str(steps), *settings]
        subprocess.run([*command, "--json"], check=True, stdout=sys.stderr)
        return _read(Path(folder), seed, parse_config(preset).evaluation_episodes)


def _read(folder: Path, seed: int, episodes: int) -> Learnt:
    database = Database(f"sqlite:///{folder / 'pitwall.db'}")
    with database.read() as session:
        run = list_runs(session)[0]
        success = read_points(session, run.id, "evaluation/success_rate")
        counts = read_points(session, run.id, "evaluation/episodes")
        rewards = read_points(session, run.id, "progress/reward")
    database.close()
    good = (success.value >= SUCCESS) & (counts.value >= episodes)
    second = next((i for i in range(1, len(good)) if good[i - 1] and good[i]), None)
    return Learnt(
        seed,
        None if second is None else int(success.step[second]),
        None if second is None else round(float(success.time[second] - rewards.time[0]), 1),
        len(good),
        float(success.value[-1]),
        run.verdict,
    )


def _table(found: list[Learnt]) -> None:
    print("| seed | learnt at step | after | evaluations | last success | verdict |")
    print("|---|---|---|---|---|---|")
    for run in found:
        step = "not" if run.steps is None else f"{run.steps:,}"
        time = "" if run.seconds is None else f"{run.seconds:.0f} s"
        print(
            f"| {run.seed} | {step} | {time} | {run.evaluations} | {run.final_success:.0%} "
            f"| {run.verdict} |"
        )


if __name__ == "__main__":
    main()
