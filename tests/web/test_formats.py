"""Numbers, sizes and times as a person reads them."""

import pytest

from backend.web import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, formats.DASH),
        (0, "0"),
        (999.6, "1,000"),
        (402132, "402,132"),
        (-1234567, "-1,234,567"),
    ],
)
def test_whole(value: float | None, text: str) -> None:
    assert formats.whole(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, formats.DASH),
        (0, "0"),
        (950, "950"),
        (402132, "402k"),
        (1_000_000, "1M"),
        (2.5e9, "2.5G"),
    ],
)
def test_compact(value: float | None, text: str) -> None:
    assert formats.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, formats.DASH),
        (0.0, "0"),
        (1.7, "1.7"),
        (946.4012, "946.4"),
        (12345.6, "12,346"),
        (-0.25, f"{formats.MINUS}0.25"),
        (1e-4, "1.000e-04"),
        (-3e7, f"{formats.MINUS}30M"),
        (2.147e9, "2.147G"),
        (1e15, "1.000e+15"),
        (float("inf"), "inf"),
    ],
)
def test_figure(value: float | None, text: str) -> None:
    assert formats.figure(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, formats.DASH),
        (float("inf"), formats.DASH),
        (-3, "0 s"),
        (59.4, "59 s"),
        (90, "1 min 30 s"),
        (14520, "4 h 02 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, formats.DASH),
        (0, "0 B"),
        (999, "999 B"),
        (1_500_000, "1.5 MB"),
        (226e9, "226 GB"),
        (5e12, "5 TB"),
    ],
)
def test_size(count: float | None, text: str) -> None:
    assert formats.size(count) == text


def test_times_are_utc() -> None:
    assert formats.stamp(0) == "1970-01-01T00:00:00+00:00"
    assert formats.clock(0) == "01 Jan 00:00:00"
    assert formats.stamp(None) == ""
    assert formats.ago(100, 4000) == "1 h ago"


def test_prose_marks_code_and_escapes_the_rest() -> None:
    assert formats.prose("a `b<c` & d") == "a <code>b&lt;c</code> &amp; d"
