"""TensorBoard in: a folder of event files as catalogued metrics, and as a finished run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.analysis.quarters import finite
from backend.database import Database
from backend.gates.engine import GateEngine, Judgement
from backend.gates.facts import facts_of
from backend.gates.replay import points_of
from backend.gates.service import save_judgement
from backend.metrics.catalog import ALIASES, CATALOG
from backend.metrics.columns import Columns
from backend.metrics.store import append_columns
from backend.runs.events import Level, add_event
from backend.runs.models import Run, Segment
from backend.runs.states import Desired, RunState
from backend.tensorboard.clock import find_clock, is_per_episode
from backend.tensorboard.events import Events, read_events

NOISE = "learner/exploration_noise"
PRESET = "imported"
CONSTANTS = {
    "actor_learning_rate": "learner/actor_learning_rate",
    "critic_learning_rate": "learner/critic_learning_rate",
}


@dataclass(frozen=True)
class ImportResult:
    """What became of a log. `new` is False when the same files had been imported before.

    `problems` are things left out or placed in doubt, in sentences.
    """

    run_id: int
    points: int
    metrics: int
    problems: list[str]
    new: bool


@dataclass(frozen=True)
class TensorboardLog:
    """A log as Pitwall reads it: columns and original tag by metric, and what the log tells of itself.

    `learning_starts` is the first step with exploration noise, or None when none was logged.
    """

    series: dict[str, Columns]
    tags: dict[str, str]
    sha256: str
    learning_starts: int | None
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(len(columns) for columns in self.series.values())

    @property
    def last_step(self) -> int:
        return max(int(columns.step[-1]) for columns in self.series.values())


def import_tensorboard(
    database: Database,
    folder: Path,
    name: str,
    learning_starts: int | None,
    now: float,
    tell: Callable[[str], None] = lambda words: None,
) -> ImportResult:
    """Make a finished run of a log, judged by the behavioural rules; all of it or nothing.

    `tell` hears what comes next, of the parts that take long.

    The same files, by their content, are imported once: again, they change nothing. Without a `name`
    the run is called as its folder; without `learning_starts` the log's first exploration noise tells.

    Raises:
        UnreadableLog: for a log that is missing, empty, truncated or corrupt.
    """
    tell(f"1 of 3: reading {folder}")
    log = read_log(folder)
    with database.read() as session:
        known = _find(session, log)
    if known is not None:
        return ImportResult(known, log.points, len(log.series), log.notes, False)
    run = _run_of(log, name or folder.resolve().name, learning_starts, now)
    # Outside of the transaction: on SQLite nobody else could write meanwhile.
    tell(f"2 of 3: judging {log.points:,} points of {len(log.series)} metrics")
    judgement = _judge(run, log)
    tell(f"3 of 3: storing them in {database.engine.dialect.name}")
    with database.write() as session:
        # Somebody else may have imported the same log in the meantime.
        if (known := _find(session, log)) is None:
            _store(session, run, log, judgement, now)
        return ImportResult(known or run.id, log.points, len(log.series), log.notes, known is None)


def read_tensorboard(folder: Path) -> dict[str, Columns]:
    """Every scalar of a log by catalogued metric name, on the step clock.

    Episode-indexed tags stand at the last step of their episode, by cumulative episode length.
    Tags the catalogue does not know keep their name.

    Raises:
        UnreadableLog: for a log that is missing, empty, truncated or corrupt.
    """
    return read_log(folder).series


def read_log(folder: Path) -> TensorboardLog:
    """As `read_tensorboard`, with everything else the log tells."""
    events = read_events(folder)
    names = _metric_names(list(events.tags))
    placed, notes = _on_step_clock(events)
    series = {names[tag]: columns for tag, columns in placed.items()}
    noise = series.get(NOISE)
    return TensorboardLog(
        series=series,
        tags={metric: tag for tag, metric in names.items()},
        sha256=events.sha256,
        learning_starts=None if noise is None else int(noise.step[0]),
        notes=[*events.notes, *notes],
    )


def _find(session: Session, log: TensorboardLog) -> int | None:
    known = select(Run.id).where(Run.preset == PRESET, Run.config_hash == log.sha256)
    return session.scalars(known).first()


def _run_of(log: TensorboardLog, name: str, learning_starts: int | None, now: float) -> Run:
    times = [columns.time for columns in log.series.values()]
    first, last = min(float(time.min()) for time in times), max(float(time.max()) for time in times)
    return Run(
        name=name[:120],
        preset=PRESET,
        config=_config(log, learning_starts),
        config_hash=log.sha256,
        state=RunState.FINISHED,
        desired=Desired.RUN,
        state_reason="imported from TensorBoard",
        step=log.last_step,
        episode=max(int(columns.episode.max()) for columns in log.series.values()),
        updates=_last(log, "learner/updates"),
        total_steps=log.last_step,
        observed={"tags": log.tags},
        created_at=now,
        started_at=first,
        ended_at=last,
    )


def _store(
    session: Session, run: Run, log: TensorboardLog, judgement: Judgement, now: float
) -> None:
    session.add(run)
    session.flush()
    segment = Segment(run_id=run.id, number=1, reason="import", created_at=run.started_at)
    session.add(segment)
    session.flush()
    run.segment_id = segment.id
    append_columns(session, segment.id, log.series)
    words = f"{log.points:,} points of {len(log.series)} metrics imported from TensorBoard"
    add_event(session, run.id, Level.INFO, "imported", words, now)
    save_judgement(session, run.id, segment.id, judgement, now)


def _config(log: TensorboardLog, learning_starts: int | None) -> dict[str, Any]:
    """What the log tells of the configuration. `source` marks it as no configuration of ours."""
    starts = log.learning_starts if learning_starts is None else learning_starts
    config: dict[str, Any] = {"source": "tensorboard", "total_steps": log.last_step}
    if starts is not None:
        config["learning_starts"] = starts
    for key, metric in CONSTANTS.items():
        values = log.series[metric].value if metric in log.series else np.empty(0)
        if len(values) and np.isfinite(values[0]) and (values == values[0]).all():
            config[key] = float(values[0])
    return config


def _last(log: TensorboardLog, metric: str) -> int:
    values = finite(log.series[metric].value if metric in log.series else [])
    return int(values[-1]) if len(values) else 0


def _judge(run: Run, log: TensorboardLog) -> Judgement:
    engine = GateEngine(facts_of(run))
    engine.observe(list(points_of(log.series)))
    return engine.evaluate(run.step, final=True)


def _metric_names(tags: list[str]) -> dict[str, str]:
    """Metric by tag; of two tags that mean the same, the one the catalogue lists first has the name."""
    ranked = sorted(tags, key=_rank)
    taken: set[str] = set(tags) & set(CATALOG)
    names = {}
    for tag in ranked:
        metric = ALIASES.get(tag, tag)
        names[tag] = tag if metric in taken else metric
        taken.add(names[tag])
    return {tag: names[tag] for tag in tags}


def _rank(tag: str) -> int:
    metric = CATALOG.get(ALIASES.get(tag, ""))
    return metric.aliases.index(tag) if metric and tag in metric.aliases else 0


def _on_step_clock(events: Events) -> tuple[dict[str, Columns], list[str]]:
    if events.native:
        return events.tags, []
    clock = find_clock(events.tags)
    if clock is None:
        per_episode = [tag for tag in events.tags if is_per_episode(tag)]
        return events.tags, _unplaced(events, per_episode)
    placed = {
        tag: clock.place(columns) if clock.counts(tag, columns) else clock.count(columns)
        for tag, columns in events.tags.items()
    }
    return placed, []


def _unplaced(events: Events, tags: list[str]) -> list[str]:
    """Episode tags that count 0, 1, 2... without lengths to place them by stay where they are, and are named."""
    counting = [
        tag
        for tag in tags
        if len(events.tags[tag]) > 1 and (np.diff(events.tags[tag].step) == 1).all()
    ]
    if not counting:
        return []
    return [
        f"{', '.join(counting)}: numbered by episode, and the log has no episode lengths to place them "
        "on the step clock; their steps are episode numbers"
    ]
