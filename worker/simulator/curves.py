"""OpenDRIVE's reference line and polynomials as NumPy samples. OpenDRIVE axes: y to the left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from worker.simulator.errors import MapUnreadable

Array = NDArray[np.float64]
FINE = 0.1
# Places in metres stay below it, UTM's northings too; cubes of such numbers are still numbers.
LARGEST = 1e7


@dataclass(frozen=True)
class Curve:
    """Points of a reference line; `heading` in radians, anticlockwise."""

    s: Array
    x: Array
    y: Array
    heading: Array

    @cached_property
    def turned(self) -> Array:
        """The heading without jumps of a full turn."""
        return np.asarray(np.unwrap(self.heading))


def sample(plan_view: Element, spacing: float) -> Curve:
    """The reference line with a point at least every `spacing` metres.

    Raises:
        MapUnreadable: a piece is of an unknown kind, or its numbers are missing.
    """
    pieces = [_piece(geometry, spacing) for geometry in plan_view.findall("geometry")]
    if not pieces:
        raise MapUnreadable("a road has no <geometry>: it cannot be drawn or driven on")
    return Curve(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def number(
    element: Element, name: str, default: float | None = None, most: float = LARGEST
) -> float:
    """An attribute as a number up to `most` in size.

    Raises:
        MapUnreadable: it is larger, no number at all, or neither there nor defaulted.
    """
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        found = float(text or "")
    except ValueError:
        found = math.nan
    if not abs(found) <= most:
        shown = "nothing" if text is None else repr(text[:80])
        bound = f" between -{most:,.15g} and {most:,.15g}" if math.isfinite(found) else ""
        raise MapUnreadable(f"<{element.tag}> needs a number{bound} in '{name}', found {shown}")
    return found


def polynomial(entries: Sequence[Element], offset: str, s: Array) -> Array:
    """A piecewise cubic a + b d + c d^2 + d d^3, pieces starting at attribute `offset`; 0 without any."""
    if not entries:
        return np.zeros_like(s)
    starts = np.array([number(entry, offset) for entry in entries])
    powers = np.array([[number(entry, key, 0.0) for key in "abcd"] for entry in entries])
    which = np.clip(np.searchsorted(starts, s + 1e-9, side="right") - 1, 0, None)
    distance = np.maximum(s - starts[which], 0.0)
    a, b, c, d = powers[which].T
    return np.asarray(a + distance * (b + distance * (c + distance * d)))


def _piece(geometry: Element, spacing: float) -> tuple[Array, Array, Array, Array]:
    start, length = number(geometry, "s"), number(geometry, "length")
    heading = number(geometry, "hdg")
    along = np.linspace(0.0, length, max(2, int(np.ceil(length / spacing)) + 1))
    shape = next(iter(geometry), None)
    kind = shape.tag if shape is not None else "nothing"
    if shape is None or kind not in _SHAPES:
        raise MapUnreadable(f"<geometry> holds <{kind}>: known are {', '.join(_SHAPES)}")
    u, v, turn = _SHAPES[kind](shape, along, length)
    cosine, sine = np.cos(heading), np.sin(heading)
    x = number(geometry, "x") + cosine * u - sine * v
    y = number(geometry, "y") + sine * u + cosine * v
    return start + along, x, y, heading + turn


def _line(shape: Element, along: Array, length: float) -> tuple[Array, Array, Array]:
    return along, np.zeros_like(along), np.zeros_like(along)


def _arc(shape: Element, along: Array, length: float) -> tuple[Array, Array, Array]:
    curvature = number(shape, "curvature")
    if abs(curvature) < 1e-9:
        return _line(shape, along, length)
    turn = curvature * along
    return np.sin(turn) / curvature, (1.0 - np.cos(turn)) / curvature, turn


def _spiral(shape: Element, along: Array, length: float) -> tuple[Array, Array, Array]:
    first, last = number(shape, "curvStart"), number(shape, "curvEnd")
    fine = np.linspace(0.0, length, max(2, int(np.ceil(length / FINE)) + 1))
    turn = first * fine + (last - first) * fine * fine / (2.0 * max(length, 1e-9))
    middle, step = (turn[1:] + turn[:-1]) / 2.0, np.diff(fine)
    u = np.concatenate(([0.0], np.cumsum(np.cos(middle) * step)))
    v = np.concatenate(([0.0], np.cumsum(np.sin(middle) * step)))
    return tuple(np.interp(along, fine, each) for each in (u, v, turn))  # type: ignore[return-value]


def _cubic(shape: Element, along: Array, length: float) -> tuple[Array, Array, Array]:
    a, b, c, d = (number(shape, key, 0.0) for key in "abcd")
    v = a + along * (b + along * (c + along * d))
    return along, v, np.arctan(b + along * (2 * c + 3 * d * along))


def _parametric_cubic(shape: Element, along: Array, length: float) -> tuple[Array, Array, Array]:
    p = along if shape.get("pRange") == "arcLength" else along / max(length, 1e-9)
    u, v, du, dv = (
        _evaluate(shape, axis, p, slope) for slope in (False, True) for axis in ("U", "V")
    )
    return u, v, np.arctan2(dv, du)


def _evaluate(shape: Element, axis: str, p: Array, slope: bool) -> Array:
    a, b, c, d = (number(shape, f"{key}{axis}", 0.0) for key in "abcd")
    if slope:
        return np.asarray(b + p * (2 * c + 3 * d * p))
    return np.asarray(a + p * (b + p * (c + p * d)))


_SHAPES = {
    "line": _line,
    "arc": _arc,
    "spiral": _spiral,
    "poly3": _cubic,
    "paramPoly3": _parametric_cubic,
}
