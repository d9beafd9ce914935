"""Compressed columns: arrays of 64-bit integers and floats to bytes and back, exact to the last bit. Pure.

Each array is stored in the smallest form that gives back every bit, and its bytes of equal weight side by
side: those of signs, exponents and clocks are deflated, those of mantissas, which are noise, stored.
"""

import struct
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64] | NDArray[np.float64]

VERSION = 1
RAW_FLOAT, SHORT_FLOAT, INTEGER, MILLISECOND, MICROSECOND = range(5)
SCALES = {MILLISECOND: 1e3, MICROSECOND: 1e6}
HEAD = struct.Struct("<BBI")
COLUMN = struct.Struct("<BBqI")
STORED = struct.Struct("<BHH")
SAMPLE, LONGEST_STORED = 256, 65535
NOISE = 1.2
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
    return b"".join([*parts, *_deflated([body for _, _, body in columns])])


def unpack(blobs: Sequence[bytes], wanted: Collection[int] | None = None) -> list[Array]:
    """The arrays `pack` was given, those of several blobs one after the other.

    With `wanted`, only these are decoded and the others are zeros.

    Raises:
        ValueError: for bytes of another version or damaged ones.
    """
    opened = [_open(blob) for blob in blobs]
    length = sum(packed.length for packed in opened)
    return [
        _column(opened, i, length, wanted is None or i in wanted)
        for i in range(len(opened[0].heads))
    ]


@dataclass(frozen=True, slots=True)
class _Packed:
    """A blob inflated: rows, and form, kind, first value, offset and size of each column in `body`."""

    length: int
    heads: list[tuple[int, int, int, int, int]]
    body: bytes


def _open(blob: bytes) -> _Packed:
    version, width, length = HEAD.unpack_from(blob)
    if version != VERSION:
        raise ValueError(f"columns of version {version}: this Pitwall reads version {VERSION}")
    end = HEAD.size + COLUMN.size * width
    heads, offset = [], 0
    for form, kind, first, size in COLUMN.iter_unpack(blob[HEAD.size : end]):
        heads.append((form, kind, first, offset, size))
        offset += size
    return _Packed(length, heads, zlib.decompress(blob[end:], -15))


def _column(opened: Sequence[_Packed], i: int, length: int, wanted: bool) -> Array:
    """Column `i` of all blobs, decoded into its place at once: copies cost more than the decoding."""
    whole: Any = np.zeros(length, np.int64 if opened[0].heads[i][0] == INTEGER else np.float64)
    at = 0
    for packed in opened if wanted else ():
        form, kind, first, offset, size = packed.heads[i]
        part = whole[at : at + packed.length]
        at += packed.length
        if not len(part):
            continue
        raw = np.frombuffer(packed.body, np.uint8, size, offset)
        planes = raw.reshape(KINDS[kind].itemsize, -1)
        if form == RAW_FLOAT:
            part.view(np.uint8).reshape(-1, 8)[:] = planes.T
        elif form == SHORT_FLOAT:
            part[:] = _unshuffled(planes, KINDS[kind])
        elif form == INTEGER:
            _sum_up(part, first, _unshuffled(planes, KINDS[kind]))
        else:
            ticks = np.empty(len(part), np.int64)
            _sum_up(ticks, first, _unshuffled(planes, KINDS[kind]))
            np.divide(ticks, SCALES[form], out=part)
    column: Array = whole
    return column


def _sum_up(out: NDArray[np.int64], first: int, steps: NDArray[Any]) -> None:
    out[0] = first
    np.cumsum(steps, dtype=np.int64, out=out[1:])
    out[1:] += first


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


def _same(a: Array, b: Array) -> bool:
    """Equal bit for bit: NaN equals itself, 0 does not equal -0."""
    return bool((a.view(np.int64) == b.view(np.int64)).all())


def _kind(body: NDArray[Any]) -> int:
    return KINDS.index(body.dtype)


def _deflated(bodies: Sequence[NDArray[Any]]) -> Iterator[bytes]:
    """One deflate stream of the planes of all bodies, each plane in blocks of its own."""
    # Matching strings would cost time and gain nothing: what repeats here are single bytes.
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    for body in bodies:
        floats = body.dtype.kind == "f"
        for plane in body.view(np.uint8).reshape(-1, body.itemsize).T:
            if floats and _is_noise(plane):
                # A stored block (RFC 1951, 3.2.4): to write it and to read it is to copy it.
                yield STORED.pack(0, len(plane), len(plane) ^ 0xFFFF) + plane.tobytes()
            elif len(plane):
                yield deflate.compress(plane.tobytes())
                # Ends at a byte and forgets what came before, so that a stored block may follow.
                yield deflate.flush(zlib.Z_FULL_FLUSH)
    yield deflate.flush()


def _is_noise(plane: NDArray[np.uint8]) -> bool:
    """Whether two bytes of the plane are hardly ever equal, by a sample: then no code makes it shorter."""
    if not SAMPLE <= len(plane) <= LONGEST_STORED:
        return False
    counts = np.bincount(plane[:: len(plane) // SAMPLE][:SAMPLE], minlength=256)
    return bool(counts @ counts < NOISE * (SAMPLE + SAMPLE * SAMPLE / 256))


def _unshuffled(planes: NDArray[np.uint8], kind: np.dtype[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(planes.T).reshape(-1).view(kind)
