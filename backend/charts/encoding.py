"""Encoding: plain figures to the JSON that Plotly.js reads, arrays as base64 of their bytes."""

import base64
import json
from typing import Any

import numpy as np

# The names Plotly.js gives the kinds of numbers a browser has typed arrays for.
KINDS = {"float64": "f8", "float32": "f4", "int32": "i4", "int16": "i2", "int8": "i1"}


def to_json(figures: Any) -> str:
    """Figures, or anything made of them, as JSON."""
    return json.dumps(figures, default=_encode, separators=(",", ":"), allow_nan=False)


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {"dtype": KINDS[value.dtype.name], "bdata": data}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
