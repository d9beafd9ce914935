"""Paints the sides of boxes: windows, wheels, lamps, leaves; light by the face's direction, haze by distance."""

import numpy as np
from numpy.typing import NDArray

from worker.simulator.blocks import FACE_YAWS, FRONT, REAR, Blocks, Ring
from worker.simulator.hits import Hits
from worker.simulator.look import Look, pack
from worker.simulator.rays import Floats, Indices
from worker.simulator.scenery import Style

Image = NDArray[np.uint32]
# The colours a face is painted in, in this order in the palette.
WALL, PANE, ROOF, ACCENT = range(4)
VARIANTS = 4
GLASS, TYRE = (46.0, 58.0, 70.0), (26.0, 26.0, 28.0)
HEAD_LAMP, TAIL_LAMP = (250.0, 245.0, 215.0), (205.0, 24.0, 18.0)
ROOF_TILE = (118.0, 92.0, 80.0)
STOREY, BAY = 3.1, 2.7
# Windows smaller than this many pixels would only flicker.
SMALLEST_PANE = 1.6


def paint(image: Image, hits: Hits, ring: Ring, blocks: Blocks, look: Look, focal: float) -> None:
    """Write every pixel that sees a box, far ones first."""
    block, face = ring.block.take(hits.cells), ring.face.take(hits.cells)
    along, style = ring.along.take(hits.cells), blocks.style[block]
    variant = np.where(hits.is_roof, ROOF, WALL)
    side = ~hits.is_roof
    for kind, rule in _RULES.items():
        chosen = np.flatnonzero((style == kind) & side)
        if len(chosen):
            shape = blocks.shape[block[chosen]]
            near = ring.near.take(hits.cells[chosen])
            rule(
                variant,
                chosen,
                along[chosen],
                hits.height[chosen],
                shape,
                face[chosen],
                near / focal,
            )
    colors = _palette(blocks, look).take((block * 4 + face) * VARIANTS + variant)
    kept = np.flatnonzero((style != Style.FOLIAGE) | (variant != ACCENT))
    image[hits.pixels[kept]] = colors[kept]


def _house(
    variant: Indices,
    chosen: Indices,
    along: Floats,
    height: Floats,
    shape: Floats,
    face: Indices,
    pixel: Floats,
) -> None:
    bay, storey = (along / BAY + 0.5) % 1.0, (height / STOREY) % 1.0
    pane = (bay > 0.28) & (bay < 0.74) & (storey > 0.36) & (storey < 0.80)
    pane &= (height < shape[:, 7] - 0.4) & (pixel * SMALLEST_PANE < 1.2)
    variant[chosen[pane]] = PANE


def _car(
    variant: Indices,
    chosen: Indices,
    along: Floats,
    height: Floats,
    shape: Floats,
    face: Indices,
    pixel: Floats,
) -> None:
    """Lamps at the corners of both ends; dark below the bumpers and in the wheel arches."""
    share = (height - shape[:, 6]) / (shape[:, 7] - shape[:, 6])
    is_end = (face == FRONT) | (face == REAR)
    corner = is_end & (np.abs(along) > 0.62 * shape[:, 5])
    variant[chosen[corner & (share > 0.55) & (share < 0.88)]] = ACCENT
    axle = np.abs(np.abs(along) - 0.6 * shape[:, 4]) < 0.38
    variant[chosen[(share < 0.34) & (is_end | axle)]] = PANE


def _cabin(
    variant: Indices,
    chosen: Indices,
    along: Floats,
    height: Floats,
    shape: Floats,
    face: Indices,
    pixel: Floats,
) -> None:
    is_end = (face == FRONT) | (face == REAR)
    half = np.where(is_end, shape[:, 5], shape[:, 4])
    variant[chosen[np.abs(along) < 0.92 * half]] = PANE


def _foliage(
    variant: Indices,
    chosen: Indices,
    along: Floats,
    height: Floats,
    shape: Floats,
    face: Indices,
    pixel: Floats,
) -> None:
    """Darker tufts; ACCENT marks what lies outside of the round crown and is not painted."""
    middle, reach = (shape[:, 6] + shape[:, 7]) / 2.0, (shape[:, 7] - shape[:, 6]) / 2.0
    grain = np.sin(along * 7.3 + shape[:, 0]) * np.sin(height * 8.1 + shape[:, 1])
    variant[chosen[grain > 0.15]] = PANE
    crown = (along / (1.15 * shape[:, 4])) ** 2 + ((height - middle) / reach) ** 2
    variant[chosen[crown > 1.0 + 0.12 * grain]] = ACCENT


_RULES = {Style.HOUSE: _house, Style.CAR: _car, Style.CABIN: _cabin, Style.FOLIAGE: _foliage}


def _palette(blocks: Blocks, look: Look) -> Image:
    """Packed colours by block, face and variant, flat."""
    style = blocks.style[:, None, None]
    base = blocks.color[:, None, :]
    normals = (blocks.yaw[:, None] + FACE_YAWS).astype(np.float64)
    shade = look.shade(normals)[:, :, None]
    wall = np.where(style == Style.LAMP, base, base * shade * look.tint)
    pane = np.where(style == Style.CAR, TYRE, GLASS) * (0.35 + 0.65 * look.daylight)
    pane = np.where(style == Style.FOLIAGE, wall * 0.8, pane)
    tiles = np.where(style == Style.HOUSE, ROOF_TILE, base) * (look.roof_shade * look.tint)
    lamps = np.array([HEAD_LAMP, TAIL_LAMP, TAIL_LAMP, TAIL_LAMP]) * (0.6 + 0.4 * look.daylight)
    colors = np.empty((len(blocks), 4, VARIANTS, 3), dtype=np.float32)
    colors[:, :, WALL], colors[:, :, PANE], colors[:, :, ROOF] = wall, pane, tiles
    colors[:, :, ACCENT] = lamps
    share = look.fog(blocks.distance.astype(np.float64))[:, None, None, None]
    mixed = colors * (1.0 - share) + look.haze * share
    return pack(mixed.reshape(-1, 3))
