"""The last episodes of a run, one row each, from the metrics that have one point an episode."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.metrics.catalog import COMPONENTS, TERMINATIONS
from backend.metrics.store import read_points
from backend.runs.models import Run

SHOWN = ("return", "length", "route_percent", "mean_speed", "termination", *COMPONENTS)


@dataclass(frozen=True)
class EpisodeRow:
    """One episode; a value its run did not log is None."""

    number: int
    step: int
    values: dict[str, float]

    @property
    def ended_by(self) -> str | None:
        code = self.values.get("termination")
        known = code is not None and 0 <= code < len(TERMINATIONS)
        return TERMINATIONS[int(code)].replace("_", " ") if known and code is not None else None


def last_episodes(session: Session, run: Run, count: int = 50) -> list[EpisodeRow]:
    """Newest first."""
    rows: dict[int, EpisodeRow] = {}
    for name in SHOWN:
        points = read_points(
            session, run.id, f"episode/{name}", start=run.episode - count, x="episode"
        )
        for step, episode, value in zip(
            points.step.tolist(), points.episode.tolist(), points.value.tolist(), strict=True
        ):
            row = rows.setdefault(episode, EpisodeRow(episode, step, {}))
            row.values[name] = value
    return sorted(rows.values(), key=lambda row: -row.number)[:count]
