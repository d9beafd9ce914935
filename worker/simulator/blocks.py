"""Upright boxes as arrays, and the ring of rays that finds which of them a camera sees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.simulator.rays import Floats
from worker.simulator.scenery import Block

Ints = NDArray[np.intp]
NEAREST = 0.05
SIGHT = 220.0


@dataclass(frozen=True, eq=False)
class Blocks:
    """One row per block: x, y, cosine and sine of its yaw, half length, half width, base, top; and how it looks."""

    shape: Floats
    yaw: Floats
    style: Ints
    color: Floats
    tag: Ints

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Blocks":
        numbers = [
            (b.x, b.y, math.cos(b.yaw), math.sin(b.yaw), b.length, b.width, b.base, b.top, b.yaw)
            for b in blocks
        ]
        rows = np.array(numbers, dtype=np.float32).reshape(-1, 9)
        looks = np.array([(b.style, b.tag, *b.color) for b in blocks], dtype=np.float32)
        looks = looks.reshape(-1, 5)
        style, tag = looks[:, 0].astype(np.intp), looks[:, 1].astype(np.intp)
        return cls(rows[:, :8], rows[:, 8], style, looks[:, 2:], tag)

    def __len__(self) -> int:
        return len(self.yaw)

    def take(self, chosen: Ints) -> "Blocks":
        return Blocks(
            self.shape[chosen],
            self.yaw[chosen],
            self.style[chosen],
            self.color[chosen],
            self.tag[chosen],
        )

    def joined(self, others: "Blocks") -> "Blocks":
        return Blocks(
            np.concatenate((self.shape, others.shape)),
            np.concatenate((self.yaw, others.yaw)),
            np.concatenate((self.style, others.style)),
            np.concatenate((self.color, others.color)),
            np.concatenate((self.tag, others.tag)),
        )

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
        return self.take(np.flatnonzero(seen))


@dataclass(frozen=True, eq=False)
class Layer:
    """For each ray one box it meets, at most; farther layers lie behind nearer ones.

    Attributes:
        near, far: metres at which the ray enters and leaves the box, infinite where there is none.
        block: number of the box; `normal` yaw of the face entered; `along` metres along that face from
            its middle; `end` 1 if it is the box's front, -1 its rear, 0 a side.
    """

    near: Floats
    far: Floats
    block: Ints
    normal: Floats
    along: Floats
    end: Floats


def cast(blocks: Blocks, x: float, y: float, directions: Floats, most: int) -> list[Layer]:
    """The first `most` boxes each ray meets, farthest layer first."""
    if not len(blocks):
        return []
    cosine, sine = np.cos(directions), np.sin(directions)
    bx, by, c, s, length, width = (blocks.shape[:, i, None] for i in range(6))
    # The rays in each box's own frame: its length along u, its width along v.
    u0, v0 = c * (x - bx) + s * (y - by), c * (y - by) - s * (x - bx)
    du, dv = c * cosine + s * sine, c * sine - s * cosine
    du[np.abs(du) < 1e-7] = 1e-7
    dv[np.abs(dv) < 1e-7] = 1e-7
    mid, half = -u0 / du, length / np.abs(du)
    u_in, u_out = mid - half, mid + half
    mid, half = -v0 / dv, width / np.abs(dv)
    v_in, v_out = mid - half, mid + half
    near, far = np.maximum(u_in, v_in), np.minimum(u_out, v_out)
    near[(near >= far) | (near < NEAREST)] = np.inf
    layers = []
    rays = np.arange(len(directions))
    for _ in range(min(most, len(blocks))):
        block = near.argmin(axis=0)
        distance = near[block, rays]
        if not np.isfinite(distance).any():
            break
        through_end = u_in[block, rays] > v_in[block, rays]
        end = np.where(through_end, -np.sign(du[block, rays]), 0.0).astype(np.float32)
        side = -np.sign(dv[block, rays])
        turn = np.where(through_end, (1.0 - end) * (math.pi / 2), side * (math.pi / 2))
        finite = np.where(np.isfinite(distance), distance, 0.0)
        u = u0[block, 0] + finite * du[block, rays]
        v = v0[block, 0] + finite * dv[block, rays]
        layers.append(
            Layer(
                distance,
                far[block, rays],
                block,
                blocks.yaw[block] + turn.astype(np.float32),
                np.where(through_end, v, u),
                end,
            )
        )
        near[block, rays] = np.inf
    return layers[::-1]
