"""Paints the sides of boxes: windows, wheels, lamps, leaves; light by the face's direction, haze by distance."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from worker.simulator.blocks import Blocks, Layer
from worker.simulator.look import Look, pack
from worker.simulator.scenery import Style

if TYPE_CHECKING:
    from worker.simulator.camera import Hits

Image = NDArray[np.uint32]
# Columns of the palette that is worked out for each ray of a layer.
WALL, PANE, ROOF, ACCENT = range(4)
GLASS, TYRE = np.array([46.0, 58.0, 70.0]), np.array([26.0, 26.0, 28.0])
HEAD_LAMP, TAIL_LAMP = np.array([250.0, 245.0, 215.0]), np.array([205.0, 24.0, 18.0])
ROOF_TILE = np.array([118.0, 92.0, 80.0])
STOREY, BAY = 3.1, 2.7
# Windows smaller than this many pixels would only flicker.
SMALLEST_PANE = 1.6


def paint_layer(
    image: Image, layer: Layer, hits: "Hits", blocks: Blocks, look: Look, focal: float
) -> None:
    """Write the pixels that see the layer."""
    style = blocks.style[layer.block]
    palette = _palette(layer, style, blocks, look)
    variant = np.where(hits.is_roof, ROOF, WALL)
    pixels, rays = hits.pixels, hits.rays
    styles = style[rays]
    along, height = layer.along[rays], hits.height
    shape = blocks.shape[layer.block][rays]
    walls = ~hits.is_roof
    present = set(style[np.isfinite(layer.near)].tolist())
    if Style.HOUSE in present:
        coarse = layer.near[rays] > focal * 1.2 / SMALLEST_PANE
        bay, storey = (along / BAY + 0.5) % 1.0, (height / STOREY) % 1.0
        pane = (bay > 0.28) & (bay < 0.74) & (storey > 0.36) & (storey < 0.80)
        pane &= (height < shape[:, 7] - 0.4) & ~coarse
        variant[pane & walls & (styles == Style.HOUSE)] = PANE
    if Style.CAR in present:
        car = walls & (styles == Style.CAR)
        end = layer.end[rays]
        lamp = (end != 0) & (np.abs(along) > 0.62 * shape[:, 5])
        above = (height - shape[:, 6]) / (shape[:, 7] - shape[:, 6])
        variant[car & lamp & (above > 0.55) & (above < 0.88)] = ACCENT
        axle = np.abs(np.abs(along) - 0.6 * shape[:, 4]) < 0.38
        variant[car & (above < 0.34) & ((end != 0) | axle)] = PANE
    if Style.CABIN in present:
        half = np.where(layer.end[rays] != 0, shape[:, 5], shape[:, 4])
        pillar = np.abs(along) > 0.92 * half
        variant[walls & (styles == Style.CABIN) & ~pillar] = PANE
    if Style.FOLIAGE in present:
        leaves = styles == Style.FOLIAGE
        middle = (shape[:, 6] + shape[:, 7]) / 2.0
        reach = (shape[:, 7] - shape[:, 6]) / 2.0
        round_ = (along / (1.15 * shape[:, 4])) ** 2 + ((height - middle) / reach) ** 2
        grain = np.sin(along * 7.3 + shape[:, 0]) * np.sin(height * 8.1 + shape[:, 1])
        variant[leaves & (grain > 0.15)] = PANE
        kept = ~leaves | (round_ < 1.0 + 0.12 * grain)
        pixels, rays, variant = pixels[kept], rays[kept], variant[kept]
    image[pixels] = palette[rays, variant]


def _palette(layer: Layer, style: NDArray[np.intp], blocks: Blocks, look: Look) -> Image:
    """(rays, 4) packed colours of wall, pane, roof and accent."""
    base = blocks.color[layer.block].astype(np.float64)
    shade = look.shade(layer.normal.astype(np.float64))[:, None]
    glows = (style == Style.LAMP)[:, None]
    wall = np.where(glows, base, base * shade * look.tint)
    pane = np.where((style == Style.CAR)[:, None], TYRE, GLASS) * (0.35 + 0.65 * look.daylight)
    leaves = (style == Style.FOLIAGE)[:, None]
    pane = np.where(leaves, wall * 0.8, pane)
    tiles = np.where((style == Style.HOUSE)[:, None], ROOF_TILE, base)
    roof = np.where(leaves, wall * 1.1, tiles * look.roof_shade * look.tint)
    lamp = np.where((layer.end > 0)[:, None], HEAD_LAMP, TAIL_LAMP)
    accent = lamp * (0.6 + 0.4 * look.daylight)
    colors = np.stack([wall, pane, roof, accent], axis=1)
    distance = np.where(np.isfinite(layer.near), layer.near, 0.0).astype(np.float64)
    share = np.maximum(look.fog(distance), 0.0)[:, None, None]
    return pack_rays(colors * (1.0 - share) + look.haze * share)


def pack_rays(colors: NDArray[np.float64]) -> Image:
    rays, variants, _ = colors.shape
    return pack(colors.reshape(-1, 3)).reshape(rays, variants)
