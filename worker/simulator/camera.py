"""Cameras: what each pixel sees of sky, ground and boxes, as colour, depth or semantic tag."""

import math
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from worker.simulator.actors import Sensor
from worker.simulator.atlas import Atlas, GroundView
from worker.simulator.blocks import Blocks, cast
from worker.simulator.bodies import Bodies
from worker.simulator.facades import paint as paint_boxes
from worker.simulator.hits import find
from worker.simulator.look import SKY_COLUMNS, SKY_ROWS, SKY_TOP, Look
from worker.simulator.protocol import Stream
from worker.simulator.raster import paint
from worker.simulator.rays import FARTHEST, Indices, Lens, Rays
from worker.simulator.world import World

LAYERS = 6
SKY_TAG, FAR_TAG = 11, 10
FARTHEST_DEPTH = 1000.0
LEAST_HEIGHT = 0.05
# Haze in 256ths that is worth the work, and where clear air begins to fade the ground.
LEAST_HAZE, FADE_FROM = 3, 150.0
Image = NDArray[np.uint32]


class Stage:
    """What all cameras of one map share: the ground and the scenery, drawn when the first one is watched."""

    def __init__(self, world: World) -> None:
        self.map, self.episode = world.map, world.episode
        self.atlas = Atlas(paint(world.map.roads, world.seed))
        self.fixed = Blocks.of(world.scenery.blocks)
        self.bodies = Bodies()
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
        self.hazy: Indices = np.empty(0, np.intp)
        self.haze: NDArray[np.uint16] = np.empty((0, 1), np.uint16)

    def _place_sky(self) -> None:
        """Row offset and yaw of the sky texture for each pixel that shows sky."""
        slope = self.rays.slope.ravel()[self.sky_pixels]
        up = np.arctan(slope) / SKY_TOP * (SKY_ROWS - 1)
        self.sky_row = up.clip(0, SKY_ROWS - 1).astype(np.int32) * SKY_COLUMNS
        bins = np.broadcast_to(self.rays.bin, self.rays.slope.shape).ravel()[self.sky_pixels]
        self.sky_column = self.rays.bins[bins] * np.float32(SKY_COLUMNS / math.tau)

    def veil(self, colors: Image, look: Look) -> None:
        """Lay haze over ground pixels, in place; even clear air fades the last of them into the horizon."""
        if self.look is not look:
            self.look = look
            distance = self.rays.ground_distance.astype(np.float64)
            fade = np.clip((distance - FADE_FROM) / (FARTHEST - FADE_FROM), 0.0, 1.0)
            share = (256.0 * np.maximum(look.fog(distance), fade)).astype(np.uint16)
            self.hazy = np.flatnonzero(share >= LEAST_HAZE)
            self.haze = share[self.hazy, None]
        channels = colors.view(np.uint8).reshape(-1, 4)
        haze = np.array([*look.haze[::-1], 255.0]).clip(0, 255).astype(np.uint16)
        mixed = channels[self.hazy] * (np.uint16(256) - self.haze) + haze * self.haze
        channels[self.hazy] = mixed >> np.uint16(8)


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
        # Not the frame: how old a server is must not show in an episode's pictures.
        self._drop = crc32(np.array(sensor.pose).tobytes())
        self._eye = lensed.rays.lens.above + world.map.ground.height(self._x, self._y)
        moving = stage.bodies.blocks(world.actors.values())
        bins = self._rays.bins
        half_angle = float(bins[-1] - bins[0]) / 2.0 + 0.02
        everything = stage.fixed.joined(moving)
        self.blocks = everything.in_view(self._x, self._y, self._yaw, half_angle)
        directions = bins + np.float32(self._yaw)
        self.ring = cast(self.blocks, self._x, self._y, directions, LAYERS)
        self.hits = find(self.ring, self.blocks, self._rays, self._eye) if self.ring else None

    def _cells(self) -> NDArray[np.int32]:
        return self._lensed.view.cells(self._x, self._y, math.cos(self._yaw), math.sin(self._yaw))

    def _empty(self) -> Image:
        lens = self._rays.lens
        return np.empty(lens.width * lens.height, dtype=np.uint32)

    def colors(self) -> Image:
        image, look = self._empty(), self._stage.look
        image[self._lensed.sky_pixels] = self._sky()
        ground = self._stage.ground_colors.take(self._cells())
        self._lensed.veil(ground, look)
        image[self._lensed.part] = ground
        if self.ring and self.hits:
            paint_boxes(image, self.hits, self.ring, self.blocks, look, self._rays.lens.focal)
        if look.weather.precipitation > 0:
            _rain(image, self._rays.lens, self._drop, look)
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
        if self.ring and self.hits:
            blocks = self.ring.block.take(self.hits.cells)
            image[self.hits.pixels] = self.blocks.tag[blocks]
        # The tag travels in the red channel.
        return image << np.uint32(16) | np.uint32(0xFF000000)

    def depth(self) -> Image:
        flat = np.full(len(self._empty()), np.inf, dtype=np.float64)
        flat[self._lensed.part] = self._rays.ground_distance
        if self.hits:
            flat[self.hits.pixels] = self.hits.distance
        depth = flat / self._rays.forward.ravel()
        share = np.clip(depth / FARTHEST_DEPTH, 0.0, 1.0)
        code = (share * 16777215.0).astype(np.uint32)
        # Least significant byte in red, most significant in blue.
        low, middle, high = code & 255, code >> 8 & 255, code >> 16
        return np.asarray(low << 16 | middle << 8 | high | np.uint32(0xFF000000))


def _rain(image: Image, lens: Lens, drop: int, look: Look) -> None:
    """Streaks that change as the camera moves, as many as it rains."""
    strength = min(1.0, look.weather.precipitation / 100.0)
    rng = np.random.default_rng(drop)
    count = int(strength * lens.width * lens.height / 260)
    length = max(2, lens.height // 24)
    column = rng.integers(0, lens.width, count)
    row = rng.integers(0, max(1, lens.height - length), count)
    start = (row * lens.width + column)[:, None]
    pixels = (start + np.arange(length) * lens.width).ravel()
    bright = np.uint32(0x00303030)
    image[pixels] = (image[pixels] >> np.uint32(1) & np.uint32(0x7F7F7F7F)) + bright + 0x40000000
    image[pixels] |= np.uint32(0xFF000000)
