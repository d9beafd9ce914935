"""How the world looks in a weather: colours of ground and sky, light on walls, fog."""

import math

import numpy as np
from numpy.typing import NDArray

from worker.simulator.raster import GRAINS, Material
from worker.simulator.weather import Weather

Colors = NDArray[np.float64]
Packed = NDArray[np.uint32]

_MATERIALS = {
    Material.GRASS: (96, 116, 66),
    Material.ASPHALT: (72, 73, 76),
    Material.WALK: (158, 155, 148),
    Material.WHITE: (238, 238, 232),
    Material.YELLOW: (226, 182, 60),
    Material.KERB: (192, 189, 181),
    Material.EARTH: (120, 100, 78),
}
_GRAIN = {Material.GRASS: 2.6, Material.ASPHALT: 1.3, Material.WALK: 1.2}
_ZENITH, _HORIZON, _CLOUD = (84, 140, 210), (190, 212, 232), (205, 208, 212)
_SUNSET = np.array([1.12, 0.90, 0.70])
_NIGHT_SKY = np.array([14.0, 18.0, 32.0])
SKY_ROWS, SKY_COLUMNS = 128, 1024
# Elevation in radians of the sky texture's last row.
SKY_TOP = 1.2
_AMBIENT = 0.62


class Look:
    """Colours as RGB in 0..255 for one weather."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.daylight = weather.daylight
        self.tint = 1.0 + weather.warmth * (_SUNSET - 1.0)
        self.visibility = weather.visibility
        # Rotation of the facade towards the sun decides its brightness; CARLA's azimuth is a yaw.
        self._azimuth = math.radians(weather.sun_azimuth)
        self.haze = self._haze()

    @property
    def is_clear(self) -> bool:
        return self.visibility > 1500.0

    def _haze(self) -> Colors:
        """The colour that distance fades into."""
        gray = self.weather.overcast
        color = np.array(_HORIZON) * (1.0 - gray) + np.array(_CLOUD) * gray
        if self.weather.dust_storm > 0:
            share = min(1.0, self.weather.dust_storm / 100.0)
            color = color * (1.0 - share) + np.array([200.0, 160.0, 110.0]) * share
        return self._lit(color) + (1.0 - self.daylight) * _NIGHT_SKY * 0.5

    def _lit(self, color: Colors) -> Colors:
        return np.asarray(color * self.daylight * self.tint)

    def ground(self) -> Packed:
        """Packed colour of each `material * GRAINS + grain`."""
        palette = np.zeros((256, 3))
        damp = self.weather.dampness
        for material, color in _MATERIALS.items():
            grains = (np.arange(GRAINS) - GRAINS / 2)[:, None] * _GRAIN.get(material, 0.5)
            base = np.array(color, dtype=float) + grains
            if material in (Material.ASPHALT, Material.WALK, Material.KERB):
                # Water darkens stone and mirrors the sky.
                base = base * (1.0 - 0.45 * damp) + damp * 0.12 * np.array(_CLOUD)
            palette[material * GRAINS : (material + 1) * GRAINS] = self._lit(base)
        return pack(palette)

    def shade(self, normals: Colors) -> Colors:
        """Brightness of walls that face the given yaws (radians)."""
        facing = np.cos(normals - self._azimuth)
        direct = self.weather.direct * np.clip(facing, -0.25, 1.0)
        return np.asarray(self.daylight * (_AMBIENT + 0.12 + (1.0 - _AMBIENT) * direct))

    @property
    def roof_shade(self) -> float:
        return self.daylight * (_AMBIENT + 0.15 + 0.3 * self.weather.direct)

    def fog(self, distance: Colors) -> Colors:
        """Share of haze in what is seen at a distance."""
        return np.asarray(1.0 - np.exp(-distance / self.visibility))

    def sky(self, seed: int) -> Packed:
        """The dome as (SKY_ROWS, SKY_COLUMNS): rows up from the horizon, columns around by yaw."""
        rise = np.linspace(0.0, 1.0, SKY_ROWS)[:, None, None]
        zenith = self._lit(np.array(_ZENITH, dtype=float)) * (0.35 + 0.65 * self.daylight)
        dome = self.haze * (1.0 - rise) ** 2 + zenith * (1.0 - (1.0 - rise) ** 2)
        cover = _clouds(seed) - (1.0 - self.weather.overcast) * 0.62
        cover = np.clip(cover * 3.0, 0.0, 1.0)[:, :, None] * np.clip(rise * 6.0, 0.0, 1.0)
        cloud = self._lit(np.array(_CLOUD) * (1.0 - 0.35 * self.weather.overcast))
        dome = dome * (1.0 - 0.85 * cover) + cloud * 0.85 * cover
        sky = self._sun(dome) + (1.0 - self.daylight) * _NIGHT_SKY * 0.4
        fog = self.fog(np.array(350.0)) if not self.is_clear else 0.0
        veil = fog * (1.0 - 0.5 * rise)
        return pack(sky * (1.0 - veil) + self.haze * veil)

    def _sun(self, dome: Colors) -> Colors:
        height = math.radians(self.weather.sun_altitude)
        if not 0.0 < height < SKY_TOP:
            return dome
        up = np.linspace(0.0, SKY_TOP, SKY_ROWS)[:, None]
        around = np.linspace(0.0, math.tau, SKY_COLUMNS, endpoint=False)[None]
        turn = np.angle(np.exp(1j * (around - self._azimuth))) * np.cos(up)
        distance = np.hypot(turn, up - height)
        glow = np.exp(-((distance / 0.12) ** 2)) + 2.0 * (distance < 0.035)
        strength = glow * (1.0 - self.weather.overcast) * 90.0
        return np.asarray(dome + strength[:, :, None] * self.tint)


def pack(colors: Colors) -> Packed:
    """RGB in 0..255 to the uint32 whose bytes in memory are B, G, R, 255."""
    r, g, b = np.clip(colors, 0.0, 255.0).astype(np.uint32).T
    return np.asarray((b | g << 8 | r << 16 | np.uint32(0xFF000000)).T)


def _clouds(seed: int) -> Colors:
    """Smooth noise in 0..1 that closes around the horizon."""
    rng = np.random.default_rng([seed, 2])
    total = np.zeros((SKY_ROWS, SKY_COLUMNS))
    for octave, weight in ((4, 0.55), (8, 0.3), (16, 0.15)):
        coarse = rng.random((octave + 1, 2 * octave))
        rows = np.linspace(0, octave, SKY_ROWS)
        columns = np.arange(SKY_COLUMNS) * (2 * octave / SKY_COLUMNS)
        i, j = rows.astype(int).clip(max=octave - 1), columns.astype(int)
        u, v = (rows - i)[:, None], (columns - j)[None]
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        right = (j + 1) % (2 * octave)
        low = coarse[i][:, j] * (1 - v) + coarse[i][:, right] * v
        high = coarse[i + 1][:, j] * (1 - v) + coarse[i + 1][:, right] * v
        total += weight * (low * (1 - u) + high * u)
    return total
