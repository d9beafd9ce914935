"""Packed columns come back to the last bit, and small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.metrics.codec import Array, pack, unpack

LENGTHS = st.shared(st.integers(0, 60), key="length")
INTEGERS = arrays.arrays(np.int64, LENGTHS, elements=st.integers(-(2**63), 2**63 - 1))
FLOATS = arrays.arrays(np.float64, LENGTHS, elements=st.floats(allow_nan=True))
SHORT = arrays.arrays(np.float64, LENGTHS, elements=st.floats(width=32))
TIMES = arrays.arrays(
    np.float64, LENGTHS, elements=st.integers(0, 2_000_000_000_000).map(lambda ms: ms / 1000)
)


@given(INTEGERS, FLOATS, SHORT, TIMES)
def test_columns_come_back_to_the_last_bit(
    integers: Array, floats: Array, short: Array, times: Array
) -> None:
    columns = [integers, floats, short, times]
    unpacked = unpack([pack(columns)])

    assert [array.dtype for array in unpacked] == [array.dtype for array in columns]
    assert [array.tobytes() for array in unpacked] == [array.tobytes() for array in columns]


def test_nan_infinities_and_negative_zero_are_kept() -> None:
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5e-324])

    assert unpack([pack([values])])[0].tobytes() == values.tobytes()


def test_points_of_noise_take_nine_bytes() -> None:
    rng = np.random.default_rng(0)
    step = np.arange(1024)
    time = np.round(1.76e9 + np.cumsum(rng.uniform(0.04, 0.06, 1024)), 3)

    assert len(pack([step, step // 200, time, rng.normal(size=1024)])) / 1024 < 9


def test_values_of_a_network_take_five_bytes() -> None:
    step = np.arange(1024)
    value = np.random.default_rng(0).normal(size=1024).astype(np.float32).astype(np.float64)

    assert len(pack([step, step // 200, np.round(step * 0.05, 3), value])) / 1024 < 5


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_several_blobs_come_back_one_after_the_other(lengths: list[int]) -> None:
    rng = np.random.default_rng(len(lengths))
    parts = [
        (rng.integers(0, 9, n), rng.normal(size=n), np.round(rng.normal(size=n), 3))
        for n in lengths
    ]
    unpacked = unpack([pack(part) for part in parts])

    for i, array in enumerate(unpacked):
        assert array.tobytes() == np.concatenate([part[i] for part in parts]).tobytes()


def test_only_the_columns_asked_for_are_decoded() -> None:
    one, other = np.arange(5), np.arange(5) * 2.5

    assert [array.tolist() for array in unpack([pack([one, other])], {1})] == [
        [0] * 5,
        other.tolist(),
    ]


def test_columns_of_another_version_are_refused() -> None:
    blob = bytearray(pack([np.arange(3)]))
    blob[0] = 99

    with pytest.raises(ValueError, match="version 99"):
        unpack([bytes(blob)])
