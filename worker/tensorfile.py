"""Arrays as a safetensors file without copying them: the header, then each array's own memory."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# names of https://github.com/huggingface/safetensors#format
DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int16": "I16", "int32": "I32", "uint32": "U32", "int64": "I64",
    "float32": "F32", "float64": "F64",
}  # fmt: skip


def serialise(arrays: Mapping[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """Parts whose concatenation is the file; safetensors' own `save` copies everything twice.

    Wide types come first, so that every array starts at a multiple of its item size.
    """
    header: dict[str, dict[str, Any]] = {}
    parts: list[bytes | memoryview] = []
    offset = 0
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        end = offset + array.nbytes
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        parts.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)) + text, *parts]
