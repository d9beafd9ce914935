"""Lineage: which stretch of which segment makes up a run, and which stretches were abandoned."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.runs.models import Run, Segment


@dataclass(frozen=True, slots=True)
class Stretch:
    """Points of a segment with `after` < step <= `until`; None is no bound."""

    segment_id: int
    number: int
    after: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """The stretches that are the run, oldest first, and the abandoned ones by segment number."""

    main: tuple[Stretch, ...]
    abandoned: tuple[Stretch, ...]

    @property
    def current(self) -> Stretch | None:
        return self.main[-1] if self.main else None


def lineage_of(session: Session, run_id: int) -> Lineage:
    """The run's lineage as its current segment sees it.

    Raises:
        NotFound: when there is no such run.
    """
    run = session.execute(select(Run.id, Run.segment_id).where(Run.id == run_id)).first()
    if run is None:
        raise NotFound(f"Run {run_id} does not exist")
    rows = session.scalars(
        select(Segment).where(Segment.run_id == run_id).order_by(Segment.number, Segment.id)
    ).all()
    segments = {segment.id: segment for segment in rows}
    current = run.segment_id or (rows[-1].id if rows else None)
    return trace(segments | _ancestors_elsewhere(session, segments), current, run_id)


def _ancestors_elsewhere(session: Session, own: Mapping[int, Segment]) -> dict[int, Segment]:
    """What a fork takes over: the segments of other runs on the way back from its own."""
    found: dict[int, Segment] = {}
    waiting = {segment.parent_id for segment in own.values()} - own.keys() - {None}
    while waiting:
        rows = session.scalars(select(Segment).where(Segment.id.in_(waiting))).all()
        found |= {segment.id: segment for segment in rows}
        waiting = {segment.parent_id for segment in rows} - found.keys() - {None}
    return found


def trace(
    segments: Mapping[int, Segment], current: int | None, run_id: int | None = None
) -> Lineage:
    """Walk from the current segment to its ancestors; each ends where its child started.

    Other runs' segments, which a fork of them takes over, are never its abandoned branches.
    """
    main: list[Stretch] = []
    until: int | None = None
    at = current
    while at is not None and (segment := segments.get(at)):
        main.append(Stretch(segment.id, segment.number, None, until))
        # A segment from scratch measures its own step 0: it takes nothing over.
        from_scratch = segment.start_step == 0 and segment.checkpoint_id is None
        until = segment.start_step if until is None else min(until, segment.start_step)
        at = None if from_scratch else segment.parent_id
    kept = {stretch.segment_id: stretch.until for stretch in main}
    abandoned = [
        Stretch(segment.id, segment.number, kept.get(segment.id))
        for segment in segments.values()
        if run_id in (None, segment.run_id)
        and (segment.id not in kept or kept[segment.id] is not None)
    ]
    return Lineage(tuple(reversed(main)), tuple(abandoned))
