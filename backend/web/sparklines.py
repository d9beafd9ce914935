"""Returns of a run's episodes as the points of a small SVG line."""

import math
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.metrics.store import read_series

WIDTH, HEIGHT, MARGIN = 120.0, 28.0, 2.0
METRIC, COLUMNS = "episode/return", 60


def polyline(values: Sequence[float]) -> str:
    """`x,y x,y ...` filling the box; empty below two values, for one point draws no line."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    step = WIDTH / (len(finite) - 1)
    room = HEIGHT - 2 * MARGIN
    return " ".join(
        f"{i * step:.1f},{HEIGHT - MARGIN - room * (value - low) / span:.1f}"
        for i, value in enumerate(finite)
    )


def sparklines(session: Session, run_ids: Sequence[int]) -> dict[int, str]:
    """The line of each run; empty for a run with fewer than two episodes."""
    return {
        run_id: polyline(read_series(session, run_id, METRIC, points=COLUMNS).curve.mean.tolist())
        for run_id in run_ids
    }
