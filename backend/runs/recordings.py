"""Recorded evaluations of a run, as files beside its snapshots: the way every episode drove, films of two."""

import re
from pathlib import Path

from pydantic import BaseModel, ValidationError

from backend.runs.snapshots import Point, folder_of

FOLDER = "recordings"
# Evaluations kept; at most two films each, of at most `MOST_FRAMES` frames: some ten megabytes a run.
KEPT = 12
NAME = re.compile(r"step-\d{9}-\d{10}")
FILM = re.compile(r"step-\d{9}-\d{10}-\d{1,4}(-poster)?\.webp")


class RecordedRoute(BaseModel):
    """A way to drive in CARLA's axes (x east, y south), metres, a point about every two."""

    name: str
    points: list[Point]


class RecordedEpisode(BaseModel):
    """One episode of an evaluation; `route` is an index into the evaluation's routes.

    `film` names the animated WebP without its ending, None where none was kept: of the first episode
    and of the one with the lowest return there is one.
    """

    number: int
    seed: int
    route: int
    driven: list[Point]
    total: float
    success: bool
    termination: str
    seconds: float
    route_percent: float
    film: str | None = None


class RecordedEvaluation(BaseModel):
    """`asked`: by a person, of a checkpoint; else one of the run's own, under way at `step`."""

    name: str
    at: float
    step: int
    asked: bool
    routes: list[RecordedRoute]
    episodes: list[RecordedEpisode]


def recordings_folder(snapshots: Path, run_id: int) -> Path:
    return folder_of(snapshots, run_id) / FOLDER


def recording_names(folder: Path) -> list[str]:
    """Names of the evaluations recorded in the folder, newest first."""
    found = [path.stem for path in folder.glob("step-*.json") if NAME.fullmatch(path.stem)]
    return sorted(found, key=lambda name: (name.rsplit("-", 1)[1], name), reverse=True)


def read_recording(snapshots: Path, run_id: int, name: str) -> RecordedEvaluation | None:
    """None if there is none of that name, or another version wrote it."""
    if not NAME.fullmatch(name):
        return None
    path = recordings_folder(snapshots, run_id) / f"{name}.json"
    try:
        return RecordedEvaluation.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_film(snapshots: Path, run_id: int, name: str) -> bytes | None:
    """An animated WebP or its poster by file name; None when it is not there (any more)."""
    if not FILM.fullmatch(name):
        return None
    try:
        return (recordings_folder(snapshots, run_id) / name).read_bytes()
    except FileNotFoundError:
        return None
