"""Trains the studies of `driving_studies.py` through the whole product, and keeps what came of each run.

    python -m benchmarks.learning_to_drive                       every run that is not there yet
    python -m benchmarks.learning_to_drive --only quickstart vision-small --seeds 0
    python -m benchmarks.learning_to_drive --minutes 0           without a limit of time, on a machine that has it
    python -m benchmarks.driving_report                          docs/results.md from what is there

Runs, checkpoints and what baselines reached lie in one data folder (`--data`, .pitwall-learn), which `pitwall
up --data` shows like any other. A run that ended is not trained again; one broken off is. The last line is
JSON.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.cli.training import ENDED_EARLY
from benchmarks.driving_records import RESULTS, Record, read_record, stored, write_record
from benchmarks.driving_studies import STUDIES, Study

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / ".pitwall-learn"
GRACE = 120.0


def pitwall(*arguments: str, minutes: float = 0) -> str:
    """What a command of the product printed; `minutes` later it is asked to halt.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-W", "ignore", "-m", "backend.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    try:
        output, _ = process.communicate(timeout=60 * minutes or None)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=GRACE)
    if process.returncode not in (0, ENDED_EARLY):
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return output


def assignments(values: dict[str, Any]) -> list[str]:
    return [
        part for name, value in values.items() for part in ("--set", f"{name}={json.dumps(value)}")
    ]


def train(study: Study, seed: int, minutes: float, data: Path) -> None:
    """One run of the product."""
    name = f"{study.name}-{seed}"
    print(f"training {name}", file=sys.stderr, flush=True)
    settings = assignments(study.settings(seed))
    arguments = ["train", "--preset", study.preset, "--name", name, "--data", str(data), "--json"]
    pitwall(*arguments, *settings, minutes=minutes)


def drive(study: Study, policy: str, data: Path, *options: str, **settings: Any) -> dict[str, Any]:
    """What a policy reaches over the episodes of the study's evaluations, all twenty."""
    print(f"driving {policy} {options} {settings}", file=sys.stderr, flush=True)
    preset = ["--preset", study.preset, "--data", str(data), "--json"]
    chosen = {**study.overrides, **settings}
    if policy in ("pid-pursuit", "random"):  # a baseline has no learner to configure
        chosen.pop("algorithm", None)
    found: dict[str, Any] = json.loads(
        pitwall("evaluate", "--policy", policy, *preset, *assignments(chosen), *options)
    )
    # `policy` is the place of its checkpoint on this machine, which says nothing elsewhere.
    return {name: value for name, value in found.items() if name not in ("records", "policy")}


def trials(study: Study, record: Record, data: Path) -> dict[str, dict[str, Any]]:
    """Beside the run: baselines over the same episodes, and its own best policy, seeing and blind."""
    seed = record.seed
    found = {
        "pid-pursuit": drive(study, "pid-pursuit", data, seed=seed),
        "random": drive(study, "random", data, seed=seed),
    }
    if record.best_checkpoint:
        best = str(data / record.best_checkpoint)
        found["best"] = drive(study, best, data)
        if study.sees:
            found["constant image"] = drive(study, best, data, "--constant-image")
        for name, settings in study.elsewhere.items():
            found[name] = drive(study, best, data, **settings)
            found[f"{name}, pid-pursuit"] = drive(study, "pid-pursuit", data, seed=seed, **settings)
    return found


def chosen(only: list[str], seeds: list[int]) -> Iterator[tuple[Study, int]]:
    for study in STUDIES.values():
        if not only or study.name in only:
            yield from ((study, seed) for seed in study.seeds if not seeds or seed in seeds)


def see_through(study: Study, seed: int, minutes: float, data: Path, again: bool) -> Record:
    """The record of one run: stored, or of the run now trained and its trials."""
    known = {(record.study, record.seed): record for record in stored()}
    record = known.get((study.name, seed))
    if not again and record and record.trials:
        return record
    record = read_record(data, study, seed)
    if again or record is None:
        train(study, seed, minutes, data)
        record = read_record(data, study, seed)
    if record is None:
        raise SystemExit(
            f"{study.name}-{seed} did not end: look at it with `pitwall up --data {data}`"
        )
    write_record(record)
    record.trials = trials(study, record, data)
    write_record(record)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=[], choices=list(STUDIES), metavar="STUDY")
    parser.add_argument("--seeds", nargs="*", default=[], type=int)
    parser.add_argument(
        "--minutes", type=float, help="of a run; 0 is no limit; else the study's own"
    )
    parser.add_argument("--again", action="store_true", help="train runs anew that are there")
    given = parser.parse_args()
    records = [
        see_through(
            study, seed, study.minutes if given.minutes is None else given.minutes,
            given.data.resolve(), given.again,
        )
        for study, seed in chosen(given.only, given.seeds)
    ]  # fmt: skip
    learnt = [record for record in records if record.learnt_seconds is not None]
    summary = {
        "name": "driving studies: runs that learnt",
        "ratio": len(learnt) / max(1, len(records)),
        "unit": "share of runs",
        "results": str(RESULTS),
        "runs": {f"{r.study}-{r.seed}": [r.learnt_step, r.learnt_seconds] for r in records},
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
