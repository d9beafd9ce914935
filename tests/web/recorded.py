"""Scripted recordings of evaluations: files as a worker leaves them, films included."""

import math
from pathlib import Path

from backend.runs.recordings import (
    RecordedEpisode,
    RecordedEvaluation,
    RecordedRoute,
    recordings_folder,
)
from backend.runs.snapshots import Point
from worker.film import Shot, film, poster

ROUTE: list[Point] = [
    *((float(x), 0.0) for x in range(0, 80, 2)),
    *((80.0 + 20 * math.sin(a / 10), 20 - 20 * math.cos(a / 10)) for a in range(16)),
    *((100.0, float(y)) for y in range(20, 80, 2)),
]


def driven(number: int, share: float) -> list[Point]:
    """The route's first part, a little beside it."""
    aside = math.sin(number) * 0.8
    return [(x + aside, y + aside) for x, y in ROUTE[: max(2, int(share * len(ROUTE)))]]


def record_evaluation(
    snapshots: Path, run_id: int, step: int, at: int, episodes: int = 6, failed: int = 1
) -> str:
    """Write a recording whose last `failed` episodes left the road; its name."""
    folder = recordings_folder(snapshots, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{step:09d}-{at}"
    found = []
    for number in range(episodes):
        success = number < episodes - failed
        way = driven(number, 1.0 if success else 0.55)
        filmed = number in (0, episodes - 1)
        found.append(
            RecordedEpisode(
                number=number,
                seed=number,
                route=0,
                driven=way,
                total=520.0 - 3 * number if success else 180.0,
                success=success,
                termination="goal" if success else "off_route",
                seconds=len(way) * 0.4,
                route_percent=100.0 if success else 55.0,
                film=f"{name}-{number}" if filmed else None,
            )
        )
        if filmed:
            shots = [Shot(p, 0.0, 8.0, 100 * i / 86, 0.4 * i, None) for i, p in enumerate(way)]
            (folder / f"{name}-{number}.webp").write_bytes(film(shots, ROUTE))
            (folder / f"{name}-{number}-poster.webp").write_bytes(poster(shots, ROUTE))
    routes = [RecordedRoute(name="right", points=ROUTE)]
    evaluation = RecordedEvaluation(
        name=name, at=float(at), step=step, asked=False, routes=routes, episodes=found
    )
    (folder / f"{name}.json").write_text(evaluation.model_dump_json())
    return name
