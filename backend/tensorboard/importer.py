"""TensorBoard in: a folder of event files as catalogued metrics, and as a finished run."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.metrics.catalog import ALIASES, CATALOG
from backend.metrics.columns import Columns
from backend.tensorboard.clock import find_clock, is_per_episode
from backend.tensorboard.events import Events, read_events

NOISE = "learner/exploration_noise"


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
