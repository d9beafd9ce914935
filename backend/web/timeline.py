"""How each rule stood over the run, as stretches of its axis; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.gates.models import Flip


@dataclass(frozen=True)
class Stretch:
    """From `start` to `end`, as shares of the axis, a rule (or the verdict) was in `state`."""

    start: float
    end: float
    state: str

    @property
    def width(self) -> float:
        return self.end - self.start


def stretches(flips: Iterable[Flip], step: int, state: str) -> list[Stretch]:
    """Stretches up to `step` of one rule that stands at `state`; `flips` in any order.

    Where a run went back, what was judged after that step is overwritten by what was judged again.
    """
    if step <= 0:
        return []
    ordered = sorted(flips, key=lambda flip: flip.id)
    kept: list[Flip] = []
    for flip in ordered:
        kept = [other for other in kept if other.step <= flip.step] + [flip]
    edges = [0, *(flip.step for flip in kept), step]
    states = [kept[0].before if kept else state, *(flip.after for flip in kept)]
    return [
        Stretch(start / step, min(end, step) / step, name)
        for (start, end), name in zip(pairwise(edges), states, strict=True)
        if start < min(end, step)
    ]


def timelines(
    flips: Sequence[Flip], step: int, states: Iterable[tuple[str, str]]
) -> dict[str, list[Stretch]]:
    """{rule: its stretches} for every (rule, state now)."""
    return {
        rule: stretches((flip for flip in flips if flip.rule == rule), step, state)
        for rule, state in states
    }
