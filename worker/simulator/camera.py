"""Cameras: what each pixel sees of sky, ground and boxes, as colour, depth or semantic tag."""

import math

import numpy as np
from numpy.typing import NDArray

from worker.simulator.actors import Sensor
from worker.simulator.atlas import Atlas, GroundView
from worker.simulator.blocks import Blocks, Layer, cast
from worker.simulator.bodies import blocks as bodies
from worker.simulator.facades import paint_layer
from worker.simulator.look import SKY_COLUMNS, SKY_ROWS, SKY_TOP, Look
from worker.simulator.protocol import Stream
from worker.simulator.raster import paint
from worker.simulator.rays import Floats, Indices, Lens, Rays
from worker.simulator.world import World

LAYERS = 6
SKY_TAG, FAR_TAG = 11, 10
FARTHEST_DEPTH = 1000.0
LEAST_HEIGHT = 0.05
Image = NDArray[np.uint32]


class Stage:
    """What all cameras of one map share: the ground and the scenery, drawn when the first one is watched."""

    def __init__(self, world: World) -> None:
        self.map, self.episode = world.map, world.episode
        self.atlas = Atlas(paint(world.map.roads, world.seed))
        self.fixed = Blocks.of(world.scenery.blocks)
        self.seed = world.seed
        self.look = Look(world.weather)
        self.ground_colors, self.sky = self._colors()

    def _colors(self) -> tuple[Image, Image]:
        return self.atlas.colors(self.look.ground()), self.look.sky(self.seed).ravel()

    def follow(self, world: World) -> None:
        """Take over a changed weather and, after a reload, the new episode's scenery."""
        if self.episode != world.episode:
            self.episode, self.fixed = world.episode, Blocks.of(world.scenery.blocks)
        if self.look.weather != world.weather:
            self.look = Look(world.weather)
            self.ground_colors, self.sky = self._colors()


class Lensed:
    """One kind of camera on one stage."""

    def __init__(self, lens: Lens, stage: Stage) -> None:
        self.rays = Rays(lens)
        self.view = GroundView(self.rays, stage.atlas)
        self.part = self.rays.ground_part
        sky = np.ones(lens.width * lens.height, dtype=bool)
        sky[self.rays.ground] = False
        self.sky_pixels = np.flatnonzero(sky)
        self._place_sky()
        self.look: Look | None = None
        self.fog: NDArray[np.uint16] | None = None

    def _place_sky(self) -> None:
        """Row offset and yaw of the sky texture for each pixel that shows sky."""
        slope = self.rays.slope.ravel()[self.sky_pixels]
        up = np.arctan(slope) / SKY_TOP * (SKY_ROWS - 1)
        self.sky_row = up.clip(0, SKY_ROWS - 1).astype(np.int32) * SKY_COLUMNS
        bins = np.broadcast_to(self.rays.bin, self.rays.slope.shape).ravel()[self.sky_pixels]
        self.sky_column = self.rays.bins[bins] * np.float32(SKY_COLUMNS / math.tau)

    def fog_for(self, look: Look) -> NDArray[np.uint16] | None:
        """Share of haze (0 to 256) over each ground pixel, None in clear air."""
        if self.look is not look:
            self.look = look
            distance = self.rays.ground_distance.astype(np.float64)
            share = 256.0 * look.fog(distance)
            # Even clear air fades the last of the ground into the horizon.
            share = np.maximum(share, 256.0 * np.clip((distance - 150.0) / 450.0, 0.0, 1.0))
            self.fog = share.astype(np.uint16)[:, None]
        return self.fog


class Cameras:
    """Renders the world for camera sensors; the same world gives the same picture."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stage: Stage | None = None
        self._lenses: dict[Lens, Lensed] = {}

    def render(self, sensor: Sensor) -> memoryview:
        """The picture as width x height x 4 bytes (BGRA) of the kind the sensor takes."""
        stage, lensed = self.prepare(sensor)
        scene = _Scene(self._world, sensor, stage, lensed)
        if sensor.kind is Stream.DEPTH:
            image = scene.depth()
        elif sensor.kind is Stream.SEMANTIC:
            image = scene.tags()
        else:
            image = scene.colors()
        return image.data.cast("B")

    def prepare(self, sensor: Sensor) -> tuple[Stage, Lensed]:
        """What rendering for the sensor needs, made now if it is the first of its kind."""
        world = self._world
        if self._stage is None or self._stage.map is not world.map:
            self._stage, self._lenses = Stage(world), {}
        self._stage.follow(world)
        return self._stage, self._lens(sensor, self._stage)

    def _lens(self, sensor: Sensor, stage: Stage) -> Lensed:
        pose = sensor.pose
        ground = self._world.map.ground.height(pose.x, pose.y)
        lens = Lens(
            int(sensor.number("image_size_x")),
            int(sensor.number("image_size_y")),
            sensor.number("fov"),
            round(pose.pitch, 3),
            round(pose.roll, 3),
            max(LEAST_HEIGHT, round(pose.z - ground, 3)),
        )
        found = self._lenses.get(lens)
        if found is None:
            if len(self._lenses) > 16:
                # A flying camera has a new height each frame: forget rather than hoard.
                self._lenses.clear()
            found = self._lenses[lens] = Lensed(lens, stage)
        return found


class _Scene:
    """One picture being taken."""

    def __init__(self, world: World, sensor: Sensor, stage: Stage, lensed: Lensed) -> None:
        self._stage, self._lensed, self._rays = stage, lensed, lensed.rays
        self._x, self._y = sensor.pose.x, sensor.pose.y
        self._yaw = math.radians(sensor.pose.yaw)
        self._frame = world.frame
        self._eye = lensed.rays.lens.above + world.map.ground.height(self._x, self._y)
        moving = Blocks.of(list(bodies(world.actors.values())))
        bins = self._rays.bins
        half_angle = float(bins[-1] - bins[0]) / 2.0 + 0.02
        everything = stage.fixed.joined(moving)
        self.blocks = everything.in_view(self._x, self._y, self._yaw, half_angle)
        directions = bins + np.float32(self._yaw)
        self.layers = cast(self.blocks, self._x, self._y, directions, LAYERS)

    def _cells(self) -> NDArray[np.int32]:
        return self._lensed.view.cells(self._x, self._y, math.cos(self._yaw), math.sin(self._yaw))

    def _empty(self) -> Image:
        lens = self._rays.lens
        return np.empty(lens.width * lens.height, dtype=np.uint32)

    def colors(self) -> Image:
        image, look = self._empty(), self._stage.look
        image[self._lensed.sky_pixels] = self._sky()
        ground = self._stage.ground_colors.take(self._cells())
        image[self._lensed.part] = _veil(ground, self._lensed.fog_for(look), look)
        for layer in self.layers:
            hits = self._hits(layer)
            if len(hits.pixels):
                paint_layer(image, layer, hits, self.blocks, look, self._rays.lens.focal)
        if look.weather.precipitation > 0:
            _rain(image, self._rays.lens, self._frame, look)
        return image

    def _sky(self) -> Image:
        turn = np.float32((self._yaw % math.tau) * SKY_COLUMNS / math.tau + SKY_COLUMNS)
        column = (self._lensed.sky_column + turn).astype(np.int32)
        column &= SKY_COLUMNS - 1
        column += self._lensed.sky_row
        return self._stage.sky.take(column)

    def tags(self) -> Image:
        image = self._empty()
        image[self._lensed.sky_pixels] = SKY_TAG
        below = self._rays.slope.ravel()[self._lensed.sky_pixels] < 0
        image[self._lensed.sky_pixels[below]] = FAR_TAG
        image[self._lensed.part] = self._stage.atlas.tags.take(self._cells())
        for layer in self.layers:
            hits = self._hits(layer)
            image[hits.pixels] = self.blocks.tag[layer.block[hits.rays]]
        # The tag travels in the red channel.
        return image << np.uint32(16) | np.uint32(0xFF000000)

    def depth(self) -> Image:
        flat = np.full(len(self._empty()), np.inf, dtype=np.float64)
        flat[self._lensed.part] = self._rays.ground_distance
        for layer in self.layers:
            hits = self._hits(layer)
            flat[hits.pixels] = hits.distance
        depth = flat / self._rays.forward.ravel()
        share = np.clip(depth / FARTHEST_DEPTH, 0.0, 1.0)
        code = (share * 16777215.0).astype(np.uint32)
        # Least significant byte in red, most significant in blue.
        low, middle, high = code & 255, code >> 8 & 255, code >> 16
        return np.asarray(low << 16 | middle << 8 | high | np.uint32(0xFF000000))

    def _hits(self, layer: Layer) -> "Hits":
        shape = self.blocks.shape[layer.block]
        base, top = shape[:, 6] - self._eye, shape[:, 7] - self._eye
        with np.errstate(invalid="ignore"):
            side = top / layer.near
            high = np.maximum(side, top / layer.far)
            low = np.minimum(base / layer.near, base / layer.far)
        missing = ~np.isfinite(layer.near)
        low[missing], high[missing] = np.inf, -np.inf
        rays = self._rays
        slope = rays.slope
        seen = slope > low[rays.bin]
        seen &= slope <= high[rays.bin]
        pixels = np.flatnonzero(seen)
        width = rays.lens.width
        bins = pixels % width if len(rays.bin) == 1 else rays.bin.ravel()[pixels]
        slopes = slope.ravel()[pixels]
        is_roof = slopes > side[bins]
        near = layer.near[bins]
        distance = np.where(is_roof, top[bins] / np.where(slopes == 0, 1.0, slopes), near)
        return Hits(pixels, bins, is_roof, distance, self._eye + slopes * near)


class Hits:
    """Pixels that see a layer: the ray each lies on, whether it is the top face, distance, height of the point."""

    __slots__ = ("distance", "height", "is_roof", "pixels", "rays")

    def __init__(
        self,
        pixels: Indices,
        rays: Indices,
        is_roof: NDArray[np.bool_],
        distance: Floats,
        height: Floats,
    ) -> None:
        self.pixels, self.rays, self.is_roof = pixels, rays, is_roof
        self.distance, self.height = distance, height


def _veil(colors: Image, share: NDArray[np.uint16] | None, look: Look) -> Image:
    """Colours with a share of haze over each."""
    if share is None:
        return colors
    channels = colors.view(np.uint8).reshape(-1, 4)
    haze = np.array([*look.haze[::-1], 255.0]).clip(0, 255).astype(np.uint16)
    mixed = channels * (np.uint16(256) - share) + haze * share
    mixed >>= np.uint16(8)
    return np.ascontiguousarray(mixed.astype(np.uint8)).view(np.uint32).ravel()


def _rain(image: Image, lens: Lens, frame: int, look: Look) -> None:
    """Streaks that change with the frame, as many as it rains."""
    strength = min(1.0, look.weather.precipitation / 100.0)
    rng = np.random.default_rng(frame)
    count = int(strength * lens.width * lens.height / 260)
    length = max(2, lens.height // 24)
    column = rng.integers(0, lens.width, count)
    row = rng.integers(0, max(1, lens.height - length), count)
    start = (row * lens.width + column)[:, None]
    pixels = (start + np.arange(length) * lens.width).ravel()
    bright = np.uint32(0x00303030)
    image[pixels] = (image[pixels] >> np.uint32(1) & np.uint32(0x7F7F7F7F)) + bright + 0x40000000
    image[pixels] |= np.uint32(0xFF000000)
