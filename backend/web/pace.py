"""How fast runs go, phase by phase, as measured: what estimates and remaining times are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.metrics.reader import read_series
from backend.runs.models import Run
from backend.runs.states import RunState

SPEED = "progress/steps_per_second"
COLUMNS = 40
RECENT = 5_000  # decisions whose speed says how the run goes now
SETTLED = 500  # decisions into learning from which a run tells how fast others will be
LOOKED_AT = 50
# A run tells nothing of another on other hardware or with other eyes; of the rest, the more that is equal the better.
SAME = ("environment", "device", "actor_input")
ALIKE = (
    "critic_input",
    "encoder",
    "hidden_sizes",
    "batch_size",
    "updates_per_step",
    "camera_width",
    "camera_height",
    "traffic",
    "ticks_per_decision",
    "torch_threads",
    "tf32",
    "algorithm",
    "policy_delay",
)


@dataclass(frozen=True)
class Pace:
    """Decisions a second while exploring and while learning, and the seconds one evaluation takes.

    None where nobody has measured it. `source` names the run it was measured on.
    """

    exploring: float | None
    learning: float | None
    evaluation: float
    source: str

    def seconds(self, config: Mapping[str, Any], step: int = 0) -> float | None:
        """From `step` to the planned end; None while the speed of a phase to come is unknown."""
        starts, total = int(config["learning_starts"]), int(config["total_steps"])
        found = self.evaluation * _evaluations(config, step)
        phases = (
            (self.exploring, min(starts, total) - step),
            (self.learning, total - max(starts, step)),
        )
        for speed, left in phases:
            if left > 0 and not speed:
                return None
            found += max(0, left) / (speed or 1.0)
        return found


def _evaluations(config: Mapping[str, Any], step: int) -> int:
    interval = int(config.get("evaluation_interval", 0))
    return int(config["total_steps"]) // interval - step // interval + 1 if interval else 0


def measured(session: Session, run: Run, now: float, recent: bool = False) -> Pace:
    """The run's own pace; `recent`: learning as it goes now and not on average."""
    starts = int(run.config["learning_starts"])
    since = max(starts, run.step - RECENT) if recent else starts
    exploring = _speed(session, run, 0, starts)
    learning = _speed(session, run, since, None) if run.step > starts else None
    return Pace(exploring, learning, _evaluation_seconds(run, exploring, learning, now), run.name)


def _speed(session: Session, run: Run, start: int, end: int | None) -> float | None:
    """Decisions over seconds: the harmonic mean, since samples are equally many decisions apart."""
    means = read_series(session, run.id, SPEED, start, end, COLUMNS).curve.mean
    known = means[np.isfinite(means) & (means > 0)]
    return float(len(known) / (1 / known).sum()) if len(known) else None


def _evaluation_seconds(
    run: Run, exploring: float | None, learning: float | None, now: float
) -> float:
    """What is left of the time when the driving is taken off, shared among the evaluations."""
    interval = int(run.config.get("evaluation_interval", 0))
    if not interval or run.attempt != 1 or run.started_at is None or not run.step:
        return 0.0
    starts = int(run.config["learning_starts"])
    driven = min(run.step, starts) / exploring if exploring else 0.0
    driven += max(0, run.step - starts) / learning if learning else 0.0
    spent = (run.ended_at or now) - run.started_at - driven
    return max(0.0, spent) / (run.step // interval + 1)


def expected(session: Session, config: Mapping[str, Any], now: float) -> Pace | None:
    """The pace of the run most like this configuration, of the last ones that learned; None without."""
    query = select(Run).where(Run.step > SETTLED).order_by(Run.id.desc()).limit(LOOKED_AT)
    alike = [run for run in session.scalars(query) if run.is_native and _tells_of(run, config)]
    if not alike:
        return None
    best = max(alike, key=lambda run: sum(run.config.get(k) == config.get(k) for k in ALIKE))
    return measured(session, best, now)


def _tells_of(run: Run, config: Mapping[str, Any]) -> bool:
    learned = run.step - int(run.config.get("learning_starts", 0))
    return learned > SETTLED and all(run.config.get(key) == config.get(key) for key in SAME)


def remaining(session: Session, run: Run, now: float) -> float | None:
    """Seconds to the planned end of a running run, at the speed of the phases it has yet to go through."""
    if run.state != RunState.RUNNING or not run.total_steps:
        return None
    if not run.is_native:
        speed = run.steps_per_second
        return (run.total_steps - run.step) / speed if speed > 0 else None
    own = measured(session, run, now, recent=True)
    if own.learning is None and (other := expected(session, run.config, now)) is not None:
        own = Pace(own.exploring or other.exploring, other.learning, other.evaluation, other.source)
    return own.seconds(run.config, run.step)
