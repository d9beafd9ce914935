"""Return against length of the last episodes, as the points of an SVG; shape and colour say how each ended."""

import math
from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.metrics.catalog import TERMINATIONS
from backend.metrics.store import read_points
from backend.runs.models import Run

SHOWN = 200
WIDTH, HEIGHT = 600.0, 240.0
METRICS = ("return", "length", "termination")


@dataclass(frozen=True)
class Dot:
    """One episode at `x`, `y`; `slot` is the place of its termination in the palette."""

    number: int
    total: float
    length: int
    ended_by: str
    slot: int
    x: float
    y: float


@dataclass(frozen=True)
class Scatter:
    """Dots in a box of WIDTH x HEIGHT; the lowest and highest value of each axis."""

    dots: tuple[Dot, ...]
    lengths: tuple[float, float]
    totals: tuple[float, float]

    @property
    def endings(self) -> list[tuple[int, str]]:
        """(slot, reason) of every termination among the dots."""
        return sorted({(dot.slot, dot.ended_by) for dot in self.dots})


def episode_scatter(session: Session, run: Run) -> Scatter | None:
    """None until two episodes have ended."""
    found: dict[str, dict[int, float]] = {}
    for name in METRICS:
        start = max(0, run.episode - SHOWN)
        points = read_points(session, run.id, f"episode/{name}", start=start, x="episode")
        pairs = zip(points.episode.tolist(), points.value.tolist(), strict=True)
        found[name] = {episode: value for episode, value in pairs if math.isfinite(value)}
    rows = [
        (number, total, found["length"][number], found["termination"].get(number, -1.0))
        for number, total in found["return"].items()
        if number in found["length"]
    ][-SHOWN:]
    return scatter_of(rows) if len(rows) > 1 else None


def scatter_of(rows: list[tuple[int, float, float, float]]) -> Scatter:
    """`rows`: (episode, return, length, code of its termination), at least one."""
    totals = min(row[1] for row in rows), max(row[1] for row in rows)
    lengths = min(row[2] for row in rows), max(row[2] for row in rows)
    dots = []
    for number, total, length, code in rows:
        slot = int(code) if 0 <= code < len(TERMINATIONS) else len(TERMINATIONS) - 1
        x = WIDTH * _share(length, lengths)
        y = HEIGHT * (1 - _share(total, totals))
        reason = TERMINATIONS[slot].replace("_", " ")
        dots.append(Dot(number, total, int(length), reason, slot, round(x, 1), round(y, 1)))
    return Scatter(tuple(dots), lengths, totals)


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return 0.5 if high == low else (value - low) / (high - low)
