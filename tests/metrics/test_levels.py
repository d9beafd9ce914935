"""Summary levels cover every range exactly, with few entries."""

from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.levels import CHUNK, TOP, choose_level, cover, covered, width


@given(
    st.integers(0, 10_000_000),
    st.integers(0, 10_000_000),
    st.integers(0, 10_000_000),
    st.integers(0, TOP),
)
def test_a_cover_holds_exactly_the_range_in_order(a: int, b: int, spare: int, level: int) -> None:
    start, stop = sorted((a, b))
    spans = cover(start, stop, level, stop + spare)

    edges = [(span.start * width(span.level), span.stop * width(span.level)) for span in spans]
    assert [edge[0] for edge in edges[1:]] == [edge[1] for edge in edges[:-1]]
    assert not edges or (edges[0][0], edges[-1][1]) == (start, stop)
    assert bool(edges) == (start < stop)
    assert all(span.stop * width(span.level) <= covered(stop + spare, span.level) for span in spans)


@given(st.integers(0, 10**10), st.integers(1, 4000))
def test_a_chart_of_any_length_reads_a_bounded_number_of_entries(points: int, columns: int) -> None:
    level = choose_level(points, columns)

    entries = sum(span.stop - span.start for span in cover(0, points, level, points))
    assert level == TOP or entries <= 64 * columns + (TOP + 1) * CHUNK


def test_few_points_are_read_as_they_are() -> None:
    assert choose_level(1000, 800) == 0
