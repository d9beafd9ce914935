"""Upright boxes as arrays, and the ring of rays that finds which of them a camera sees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.simulator.rays import Floats
from worker.simulator.scenery import Block

Ints = NDArray[np.intp]
NEAREST = 0.05
SIGHT = 220.0


@dataclass(frozen=True, eq=False)
class Blocks:
    """One row per block.

    Attributes:
        shape: x, y, cosine and sine of its yaw, half length, half width, base, top.
        distance: metres from the camera, for those `in_view`; zero before.
    """

    shape: Floats
    yaw: Floats
    style: Ints
    color: Floats
    tag: Ints
    distance: Floats

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Blocks":
        numbers = [
            (b.x, b.y, math.cos(b.yaw), math.sin(b.yaw), b.length, b.width, b.base, b.top, b.yaw)
            for b in blocks
        ]
        rows = np.array(numbers, dtype=np.float32).reshape(-1, 9)
        color = np.array([b.color for b in blocks], dtype=np.float32).reshape(-1, 3)
        style = np.array([b.style for b in blocks], dtype=np.intp)
        tag = np.array([b.tag for b in blocks], dtype=np.intp)
        return cls(rows[:, :8], rows[:, 8], style, color, tag, np.zeros(len(rows), np.float32))

    def __len__(self) -> int:
        return len(self.yaw)

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.shape, self.yaw, self.style, self.color, self.tag, self.distance

    def joined(self, others: "Blocks") -> "Blocks":
        pairs = zip(self._columns(), others._columns(), strict=True)
        return Blocks(*(np.concatenate(pair) for pair in pairs))

    def in_view(self, x: float, y: float, yaw: float, half_angle: float) -> "Blocks":
        """Those that may be seen from there; the nearer one is, the more generous the test."""
        dx, dy = self.shape[:, 0] - x, self.shape[:, 1] - y
        radius = np.hypot(self.shape[:, 4], self.shape[:, 5])
        distance = np.hypot(dx, dy)
        seen = distance < SIGHT
        if half_angle < math.pi / 2:
            ahead = dx * math.cos(yaw) + dy * math.sin(yaw)
            aside = np.abs(dy * math.cos(yaw) - dx * math.sin(yaw))
            cosine, sine = math.cos(half_angle), math.sin(half_angle)
            seen &= aside * cosine - ahead * sine < radius
            seen &= ahead > -radius
        chosen = np.flatnonzero(seen)
        columns = (*self._columns()[:-1], distance)
        return Blocks(*(column[chosen] for column in columns))


FRONT, REAR, RIGHT, LEFT = range(4)
# Yaw of each face's normal relative to the box's own.
FACE_YAWS = np.array([0.0, math.pi, math.pi / 2, -math.pi / 2], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Ring:
    """(layers, rays): the boxes each ray meets, the farthest layer first.

    Attributes:
        near, far: metres at which the ray enters and leaves the box, infinite where there is none.
        block: number of the box; `face` the side it is entered by.
        along: metres along that face from its middle.
    """

    near: Floats
    far: Floats
    block: Ints
    face: Ints
    along: Floats


def cast(blocks: Blocks, x: float, y: float, directions: Floats, most: int) -> Ring | None:
    """The first `most` boxes each ray meets, None if no ray meets any."""
    cosine, sine = np.cos(directions), np.sin(directions)
    bx, by, c, s, length, width = (blocks.shape[:, i, None] for i in range(6))
    # The rays in each box's own frame: its length along u, its width along v.
    u0, v0 = c * (x - bx) + s * (y - by), c * (y - by) - s * (x - bx)
    du, dv = c * cosine + s * sine, c * sine - s * cosine
    du[np.abs(du) < 1e-7] = 1e-7
    dv[np.abs(dv) < 1e-7] = 1e-7
    middle, half = -u0 / du, length / np.abs(du)
    u_in, u_out = middle - half, middle + half
    middle, half = -v0 / dv, width / np.abs(dv)
    v_in, v_out = middle - half, middle + half
    near, far = np.maximum(u_in, v_in), np.minimum(u_out, v_out)
    near[(near >= far) | (near < NEAREST)] = np.inf
    order = _in_order(near, most)
    if not order:
        return None
    block, rays = np.stack([each for each, _ in order]), np.arange(len(directions))
    entered = np.maximum(u_in, v_in)[block, rays]
    by_end = u_in[block, rays] > v_in[block, rays]
    end = np.where(du[block, rays] > 0, REAR, FRONT)
    side = np.where(dv[block, rays] > 0, LEFT, RIGHT)
    u, v = u0[block, 0] + entered * du[block, rays], v0[block, 0] + entered * dv[block, rays]
    return Ring(
        np.stack([distance for _, distance in order]),
        far[block, rays],
        block,
        np.where(by_end, end, side),
        np.where(by_end, v, u),
    )


def _in_order(near: Floats, most: int) -> list[tuple[Ints, Floats]]:
    """Box and distance for each ray, the farthest of the nearest `most` first; `near` is used up."""
    found: list[tuple[Ints, Floats]] = []
    rays = np.arange(near.shape[1])
    for _ in range(min(most, len(near))):
        block = near.argmin(axis=0)
        distance = near[block, rays]
        if not np.isfinite(distance).any():
            break
        found.append((block, distance))
        near[block, rays] = np.inf
    return found[::-1]
