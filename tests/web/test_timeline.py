"""A rule's history: whole, in order, and judged again where a run went back."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend.gates.models import Flip
from backend.web.timeline import Stretch, stretches, timelines


def flip(number: int, step: int, before: str, after: str, rule: str = "transition") -> Flip:
    return Flip(id=number, run_id=1, rule=rule, before=before, after=after, step=step)


def test_a_rule_that_never_flipped_is_one_stretch() -> None:
    assert stretches([], 1000, "ok") == [Stretch(0.0, 1.0, "ok")]
    assert stretches([], 0, "no-data") == []


def test_flips_cut_the_run_where_they_happened() -> None:
    flips = [flip(2, 500, "ok", "critical"), flip(1, 250, "no-data", "ok")]
    assert stretches(flips, 1000, "critical") == [
        Stretch(0.0, 0.25, "no-data"),
        Stretch(0.25, 0.5, "ok"),
        Stretch(0.5, 1.0, "critical"),
    ]


def test_after_going_back_only_what_was_judged_again_is_shown() -> None:
    flips = [
        flip(1, 200, "no-data", "ok"),
        flip(2, 800, "ok", "critical"),
        flip(3, 400, "critical", "ok"),
    ]
    assert stretches(flips, 1000, "ok")[-1] == Stretch(0.4, 1.0, "ok")
    assert all(part.state != "critical" for part in stretches(flips, 1000, "ok"))


@given(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(["ok", "warning"])), max_size=20))
def test_stretches_fill_the_axis_without_gap_or_overlap(changes: list[tuple[int, str]]) -> None:
    flips = [flip(i, step, "no-data", after) for i, (step, after) in enumerate(changes, 1)]
    parts = stretches(flips, 1000, "ok")
    assert parts[0].start == 0
    assert parts[-1].end == 1
    assert all(a.end == b.start for a, b in pairwise(parts))


def test_every_rule_has_its_own_line() -> None:
    flips = [flip(1, 500, "ok", "warning"), flip(2, 500, "go", "conditional-go", "verdict")]
    lines = timelines(flips, 1000, [("transition", "warning"), ("verdict", "conditional-go")])
    assert lines["verdict"][-1].state == "conditional-go"
    assert lines["transition"][-1].state == "warning"
