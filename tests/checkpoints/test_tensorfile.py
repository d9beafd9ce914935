"""Our safetensors files are what the safetensors library reads."""

import numpy as np
import safetensors.numpy
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from worker.tensorfile import DTYPES, serialise

ARRAYS = st.dictionaries(
    st.text("abc/.", min_size=1, max_size=6),
    st.sampled_from(sorted(DTYPES)).flatmap(
        lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0))
    ),
    max_size=5,
)


@given(ARRAYS)
def test_the_library_reads_what_was_written(found: dict[str, np.ndarray]) -> None:
    data = b"".join(serialise(found))
    loaded = safetensors.numpy.load(data)
    assert loaded.keys() == found.keys()
    for name, array in found.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()
    assert safetensors.torch.load(data).keys() == found.keys()


def test_a_transposed_array_is_written_in_its_own_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    loaded = safetensors.numpy.load(b"".join(serialise({"a": array})))
    np.testing.assert_array_equal(loaded["a"], array)
