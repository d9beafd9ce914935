"""A run's segments, and what a rollback would leave behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.checkpoints.service import list_checkpoints
from backend.runs.models import Run, Segment
from backend.runs.service import list_segments


def current_lineage(segments: Sequence[Segment], segment_id: int | None) -> list[Segment]:
    """From the first ancestor to the segment in hand; empty before a run has one."""
    by_id = {segment.id: segment for segment in segments}
    found: list[Segment] = []
    step = by_id.get(segment_id or 0)
    while step is not None:
        found.append(step)
        step = by_id.get(step.parent_id or 0)
    return found[::-1]


@dataclass(frozen=True)
class LeftBehind:
    """What goes on as an abandoned branch when a run goes back to a checkpoint."""

    steps: int
    episodes: int
    checkpoints: Sequence[Checkpoint]


def left_behind(session: Session, run: Run, checkpoint: Checkpoint) -> LeftBehind:
    """Steps, episodes and checkpoints of the current lineage after the chosen checkpoint."""
    lineage = {s.id for s in current_lineage(list_segments(session, run.id), run.segment_id)}
    later = [
        other
        for other in list_checkpoints(session, run.id)
        if other.segment_id in lineage and other.step > checkpoint.step
    ]
    return LeftBehind(
        max(0, run.step - checkpoint.step), max(0, run.episode - checkpoint.episode), later
    )
