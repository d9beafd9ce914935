"""Compressed columns: arrays of 64-bit integers and floats to bytes and back, exact to the last bit. Pure.

Each array is stored in the smallest form that gives back every bit, bytes of equal weight side by side
(so that signs and exponents compress), then deflated together.
"""

import struct
import zlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64] | NDArray[np.float64]

VERSION = 1
RAW_FLOAT, SHORT_FLOAT, INTEGER, MILLISECOND, MICROSECOND = range(5)
SCALES = {MILLISECOND: 1e3, MICROSECOND: 1e6}
HEAD = struct.Struct("<BBI")
COLUMN = struct.Struct("<BBqI")
EXACT = 2**53
KINDS = tuple(np.dtype(kind) for kind in ("u1", "u2", "u4", "i8", "f4", "f8"))
WIDTHS = tuple((kind, np.iinfo(kind).max) for kind in KINDS[:3])


def pack(arrays: Sequence[Array]) -> bytes:
    """Equally long int64 and float64 arrays as bytes."""
    # Forms that do not fit are tried, found not to be exact, and left.
    with np.errstate(invalid="ignore", over="ignore"):
        columns = [_shrink(array) for array in arrays]
    parts = [HEAD.pack(VERSION, len(arrays), len(arrays[0]))]
    parts += [COLUMN.pack(form, _kind(body), first, body.nbytes) for form, first, body in columns]
    # Mantissas of noise do not compress: matching strings costs time and gains nothing.
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    for _, _, body in columns:
        parts.append(deflate.compress(_shuffled(body)))
    return b"".join([*parts, deflate.flush()])


def unpack(blob: bytes, wanted: Collection[int] | None = None) -> list[Array]:
    """The arrays `pack` was given; with `wanted`, only these are decoded and the others are zeros.

    Raises:
        ValueError: for bytes of another version or damaged ones.
    """
    version, width, length = HEAD.unpack_from(blob)
    if version != VERSION:
        raise ValueError(f"columns of version {version}: this Pitwall reads version {VERSION}")
    heads = [COLUMN.unpack_from(blob, HEAD.size + COLUMN.size * i) for i in range(width)]
    body = zlib.decompress(blob[HEAD.size + COLUMN.size * width :], -15)
    arrays: list[Array] = []
    at = 0
    for i, (form, kind, first, size) in enumerate(heads):
        if wanted is None or i in wanted:
            steps = _unshuffled(body[at : at + size], KINDS[kind])
            arrays.append(_grow(form, first, steps, length))
        else:
            arrays.append(np.zeros(length))
        at += size
    return arrays


def _shrink(array: Array) -> tuple[int, int, NDArray[Any]]:
    """Form, first value and body of an array; integers are kept as steps from one to the next."""
    if array.dtype == np.int64:
        return INTEGER, *_steps(array)
    for form in (MILLISECOND, MICROSECOND):
        # Noise fails on its first values, before the work of the whole.
        if _whole(array[:4], form) is not None and (whole := _whole(array, form)) is not None:
            return form, *_steps(whole)
    short = array.astype(np.float32)
    if _same(short.astype(np.float64), array):
        return SHORT_FLOAT, 0, short
    return RAW_FLOAT, 0, array.astype(np.float64)


def _whole(array: Array, form: int) -> NDArray[np.int64] | None:
    """The array as whole milliseconds or microseconds, if that is exact."""
    scaled = np.rint(array * SCALES[form])
    if not (np.abs(scaled) < EXACT).all():
        return None
    whole = scaled.astype(np.int64)
    return whole if _same(whole / SCALES[form], array) else None


def _steps(array: NDArray[Any]) -> tuple[int, NDArray[Any]]:
    if len(array) < 2:
        return (int(array[0]) if len(array) else 0), array[:0].astype("u1")
    # Wraps around for the widest jumps, and wraps back when summed.
    steps = array[1:] - array[:-1]
    if steps.min() >= 0:
        top = int(steps.max())
        for kind, limit in WIDTHS:
            if top <= limit:
                return int(array[0]), steps.astype(kind)
    return int(array[0]), steps


def _grow(form: int, first: int, body: NDArray[Any], length: int) -> Array:
    if form in (RAW_FLOAT, SHORT_FLOAT):
        return body.astype(np.float64)
    whole = np.empty(length, np.int64)
    if length:
        whole[0] = first
        np.cumsum(body, dtype=np.int64, out=whole[1:])
        whole[1:] += first
    return whole if form == INTEGER else whole / SCALES[form]


def _same(a: Array, b: Array) -> bool:
    """Equal bit for bit: NaN equals itself, 0 does not equal -0."""
    return bool((a.view(np.int64) == b.view(np.int64)).all())


def _kind(body: NDArray[Any]) -> int:
    return KINDS.index(body.dtype)


def _shuffled(body: NDArray[Any]) -> bytes:
    return body.view(np.uint8).reshape(-1, body.itemsize).T.tobytes()


def _unshuffled(raw: bytes, kind: np.dtype[Any]) -> NDArray[Any]:
    planes = np.frombuffer(raw, np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(kind)
