"""What came of one driving run, read from the product's own database and kept as a line of JSON."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.metrics.store import read_points
from backend.runs.models import Run
from backend.runs.service import list_runs
from backend.runs.states import RunState
from benchmarks.driving_studies import Study

RESULTS = Path(__file__).parent / "results" / "driving.jsonl"
SUCCESS = 0.8


@dataclass
class Record:
    """One run. `evaluations` are (step, seconds since the first step, success, episodes, return, route %).

    Learnt: two evaluations in a row, each of all its episodes, with success >= 80 %; at the second one.
    """

    study: str
    seed: int
    state: str
    reason: str
    step: int
    total_steps: int
    updates: int
    verdict: str
    seconds: float
    config_hash: str
    machine: str
    evaluations: list[list[float]]
    random_returns: list[float]
    learnt_step: int | None = None
    learnt_seconds: float | None = None
    best_checkpoint: str = ""
    code: str = ""
    trials: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_record(data: Path, study: Study, seed: int) -> Record | None:
    """The newest run of that name that ended well; None if there is none."""
    if not (data / "pitwall.db").exists():
        return None
    database = Database(f"sqlite:///{data / 'pitwall.db'}")
    try:
        with database.read() as session:
            found = [
                run
                for run in list_runs(session)
                if run.name == f"{study.name}-{seed}"
                and run.state in (RunState.FINISHED, RunState.HALTED)
                and run.step
            ]
            return (
                _read(session, max(found, key=lambda run: run.id), study, seed, data)
                if found
                else None
            )
    finally:
        database.close()


def _read(session: Any, run: Run, study: Study, seed: int, data: Path) -> Record:
    success, episodes, returns, routes = (
        read_points(session, run.id, f"evaluation/{name}")
        for name in ("success_rate", "episodes", "return_mean", "route_percent")
    )
    rewards = read_points(session, run.id, "progress/reward")
    reference = read_points(session, run.id, "evaluation/random_return")
    seconds = success.time - rewards.time[0]
    columns = (
        success.step,
        seconds.round(1),
        success.value,
        episodes.value,
        returns.value,
        routes.value,
    )
    best = next((c for c in list_checkpoints(session, run.id) if c.is_best), None)
    record = Record(
        study=study.name,
        seed=seed,
        state=run.state,
        reason=run.state_reason,
        step=run.step,
        total_steps=run.total_steps,
        updates=run.updates,
        verdict=run.verdict,
        seconds=round(float(rewards.time[-1] - rewards.time[0]), 1),
        config_hash=run.config_hash,
        machine=f"{os.cpu_count()} CPU cores, {_device(run)}, {platform.machine()}",
        evaluations=[
            list(row) for row in zip(*(column.tolist() for column in columns), strict=True)
        ],
        random_returns=reference.value.tolist(),
        best_checkpoint=str(Path(best.path).relative_to(data)) if best else "",
        code=str(run.observed.get("code_version", "")),
    )
    return _learnt(record, run.config["evaluation_episodes"])


def _device(run: Run) -> str:
    return str(run.observed.get("gpu") or run.observed.get("device", "cpu"))


def _learnt(record: Record, episodes: int) -> Record:
    good = [row[2] >= SUCCESS and row[3] >= episodes for row in record.evaluations]
    second = next((i for i in range(1, len(good)) if good[i - 1] and good[i]), None)
    if second is not None:
        record.learnt_step = int(record.evaluations[second][0])
        record.learnt_seconds = record.evaluations[second][1]
    return record


def stored() -> list[Record]:
    if not RESULTS.exists():
        return []
    return [Record(**json.loads(line)) for line in RESULTS.read_text().splitlines()]


def write_record(record: Record) -> None:
    """Keep it in place of an earlier one of the same study and seed."""
    others = [r for r in stored() if (r.study, r.seed) != (record.study, record.seed)]
    rows = sorted([*others, record], key=lambda r: (r.study, r.seed))
    RESULTS.parent.mkdir(exist_ok=True)
    draft = RESULTS.with_suffix(".draft")
    draft.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    draft.replace(RESULTS)
