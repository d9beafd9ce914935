"""A recorded evaluation as the page of episodes shows it: the ways driven as a map, and its films."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.recordings import (
    RecordedEpisode,
    RecordedEvaluation,
    read_recording,
    recording_names,
    recordings_folder,
)
from backend.runs.snapshots import Point

MARGIN = 0.06


@dataclass(frozen=True)
class Way:
    """What one episode drove, as the points of an SVG line; `x`, `y` is where it ended."""

    episode: RecordedEpisode
    points: str
    end: Point


@dataclass(frozen=True)
class Playback:
    """The evaluation shown, and the names of all that can be; `why` there is none, if so."""

    evaluation: RecordedEvaluation | None
    names: Sequence[str]
    newest: bool
    why: str
    view_box: str = ""
    radius: float = 0.0
    routes: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()

    @property
    def films(self) -> list[RecordedEpisode]:
        """Episodes with a film, the lowest return first: that is the one to learn from."""
        episodes = self.evaluation.episodes if self.evaluation else []
        return sorted((e for e in episodes if e.film), key=lambda episode: episode.total)


def read_playback(snapshots: Path, run: Run, name: str = "") -> Playback:
    """The recording of that name, else the newest that can be read."""
    names = recording_names(recordings_folder(snapshots, run.id))
    wanted = [name] if name in names else names
    for found in wanted:
        if evaluation := read_recording(snapshots, run.id, found):
            return _shown(evaluation, names)
    return Playback(None, names, True, _why_none(run))


def step_of(name: str) -> int:
    """`step-000012000-1700000000` -> 12000."""
    return int(name.split("-")[1])


def _shown(evaluation: RecordedEvaluation, names: Sequence[str]) -> Playback:
    everywhere = [point for route in evaluation.routes for point in route.points]
    everywhere += [point for episode in evaluation.episodes for point in episode.driven]
    xs, ys = [x for x, _ in everywhere] or [0.0], [y for _, y in everywhere] or [0.0]
    side = max(max(xs) - min(xs), max(ys) - min(ys), 1.0)
    margin = MARGIN * side
    box = (
        min(xs) - margin,
        min(ys) - margin,
        max(xs) - min(xs) + 2 * margin,
        max(ys) - min(ys) + 2 * margin,
    )
    return Playback(
        evaluation=evaluation,
        names=names,
        newest=evaluation.name == names[0],
        why="",
        view_box=" ".join(f"{value:.1f}" for value in box),
        radius=round(0.014 * side, 2),
        routes=tuple(_line(route.points) for route in evaluation.routes),
        ways=tuple(
            Way(episode, _line(episode.driven), episode.driven[-1])
            for episode in evaluation.episodes
            if episode.driven
        ),
    )


def _line(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _why_none(run: Run) -> str:
    if not run.is_native:
        return "This run is not trained by Pitwall, which has seen none of its driving."
    config = RunConfig.model_validate(run.config)
    if not config.is_carla:
        return f"{config.environment} has no road to look down on."
    if not config.evaluation_interval:
        return "This run does not evaluate: ask for an evaluation on the page of its checkpoints."
    return "The first evaluation is recorded: the ways of all its episodes, and films of two."
