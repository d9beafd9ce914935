"""What a run's trainer last showed of its driving: a picture and a trace, as files in the data folder."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

FRAME, TRACE = "frame.webp", "trace.json"

Point = tuple[float, float]


class Trace(BaseModel):
    """One episode from above, in CARLA's axes (x east, y south), metres.

    Attributes:
        at: when it was written, seconds since the epoch, UTC.
        step, episode: of the run.
        picture: whether a frame of the same step lies beside it.
        name, route: the way to drive, a point about every two metres.
        driven: where the vehicle has been since the episode began, or since the attempt did.
        heading: radians, clockwise seen from above; 0 is east.
        speed: metres per second.
        termination: why the episode ended; None while it goes on.
        previous: why the episode before it ended.
    """

    at: float
    step: int
    episode: int
    picture: bool
    name: str
    route: list[Point]
    driven: list[Point]
    heading: float
    speed: float
    route_percent: float
    termination: str | None
    previous: str | None


def folder_of(snapshots: Path, run_id: int) -> Path:
    return snapshots / f"run-{run_id:06d}"


def read_frame(snapshots: Path, run_id: int) -> bytes | None:
    """The last picture (WebP): the camera's beside the newest the network got. None: never written."""
    try:
        return (folder_of(snapshots, run_id) / FRAME).read_bytes()
    except FileNotFoundError:
        return None


def read_trace(snapshots: Path, run_id: int) -> Trace | None:
    """The last trace; None if none was written, or an older version wrote another kind."""
    try:
        return Trace.model_validate_json((folder_of(snapshots, run_id) / TRACE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
