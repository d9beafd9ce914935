"""A run's segments as a drawing: a line each, from where it started to where it got, a new one at every return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.checkpoints.models import Checkpoint
from backend.runs.models import Run, Segment
from backend.web.lineage import current_lineage

# Pixels between lines, and above the first.
LANE, TOP = 28, 20


@dataclass(frozen=True)
class Mark:
    """A checkpoint on its segment; `x` in per cent of the width."""

    checkpoint: Checkpoint
    x: float


@dataclass(frozen=True)
class Branch:
    """One segment from `x1` to `x2`, in per cent of the width; what is right of `kept` was left behind.

    `y` is its line's place in pixels, `from_y` that of the line it left; None: it goes on on that line.
    """

    segment: Segment
    end: int
    x1: float
    kept: float
    x2: float
    y: int
    from_y: int | None
    is_current: bool
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Tree:
    """`steps` is what the full width stands for; `height` in pixels."""

    branches: tuple[Branch, ...]
    steps: int
    height: int

    @property
    def abandoned(self) -> int:
        """How many segments have a part that was left behind."""
        return sum(branch.kept < branch.x2 for branch in self.branches)


def draw_tree(
    run: Run,
    segments: Sequence[Segment],
    checkpoints: Sequence[Checkpoint],
    ends: Mapping[int, int],
) -> Tree:
    """`segments` in the order they were opened; `ends`: last step with a point, by segment id."""
    reached = {s.id: _end(run, s, segments, checkpoints, ends) for s in segments}
    kept = _kept(current_lineage(segments, run.segment_id), reached)
    lanes = _lanes(segments, reached)
    steps = max([1, run.step, *reached.values()])

    def x(step: int) -> float:
        return round(100 * step / steps, 2)

    branches = []
    for segment in segments:
        lane, parent = lanes[segment.id], lanes.get(segment.parent_id or 0)
        branches.append(
            Branch(
                segment=segment,
                end=reached[segment.id],
                x1=x(segment.start_step),
                kept=x(kept.get(segment.id, segment.start_step)),
                x2=x(reached[segment.id]),
                y=TOP + LANE * lane,
                from_y=None if parent in (None, lane) else TOP + LANE * parent,
                is_current=segment.id in kept,
                marks=tuple(Mark(c, x(c.step)) for c in checkpoints if c.segment_id == segment.id),
            )
        )
    return Tree(tuple(branches), steps, 2 * TOP + LANE * max(lanes.values(), default=0))


def _end(
    run: Run,
    segment: Segment,
    segments: Sequence[Segment],
    checkpoints: Sequence[Checkpoint],
    ends: Mapping[int, int],
) -> int:
    if segment.id == run.segment_id:
        return max(run.step, segment.start_step)
    saved = [c.step for c in checkpoints if c.segment_id == segment.id]
    left = [s.start_step for s in segments if s.parent_id == segment.id]
    return max([segment.start_step, ends.get(segment.id, 0), *saved, *left])


def _kept(lineage: Sequence[Segment], reached: Mapping[int, int]) -> dict[int, int]:
    """Up to which step each segment of the lineage is part of the run as it stands."""
    kept = {segment.id: child.start_step for segment, child in pairwise(lineage)}
    return {**kept, **{segment.id: reached[segment.id] for segment in lineage[-1:]}}


def _lanes(segments: Sequence[Segment], reached: Mapping[int, int]) -> dict[int, int]:
    """A segment goes on on its parent's line when that ends there, else on the first free one below."""
    lanes: dict[int, int] = {}
    taken: list[int] = []
    for segment in segments:
        parent = lanes.get(segment.parent_id or 0)
        lane = 0 if parent is None else parent
        while lane < len(taken) and taken[lane] > segment.start_step:
            lane += 1
        taken += [0] * (lane + 1 - len(taken))
        taken[lane] = reached[segment.id]
        lanes[segment.id] = lane
    return lanes
