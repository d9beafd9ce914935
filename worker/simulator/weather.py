"""CARLA's weather parameters, and the light and colours they make."""

import math
from dataclasses import astuple, dataclass

from worker.simulator.protocol import Wire, numbers


@dataclass(frozen=True)
class Weather:
    """Percent where CARLA has percent, degrees where it has degrees; the default is ClearNoon."""

    cloudiness: float = 5.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth: float = -1.0
    sun_altitude: float = 45.0
    fog_density: float = 2.0
    fog_distance: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering: float = 1.0
    mie: float = 0.03
    rayleigh: float = 0.0331
    dust_storm: float = 0.0

    @classmethod
    def read(cls, value: Wire) -> "Weather":
        """Weather out of a request; ValueError if it is not 14 finite numbers."""
        return cls(*numbers(value, 14, "weather"))

    def wire(self) -> Wire:
        return list(astuple(self))

    @property
    def overcast(self) -> float:
        """0 clear sky, 1 nothing but cloud."""
        return _share(max(self.cloudiness, self.precipitation * 0.9, self.dust_storm * 0.8))

    @property
    def daylight(self) -> float:
        """Brightness of the scene: 1 at a clear noon, little at night."""
        height = math.sin(math.radians(max(-10.0, min(90.0, self.sun_altitude))))
        sun = min(1.0, 0.45 + height) if height > 0 else 0.45 + 2.0 * height
        return max(0.10, sun) * (1.0 - 0.30 * self.overcast)

    @property
    def direct(self) -> float:
        """Share of the light that comes from the sun itself and makes lit and shaded sides."""
        risen = max(0.0, math.sin(math.radians(self.sun_altitude)))
        return min(1.0, 2.0 * risen) * (1.0 - 0.9 * self.overcast)

    @property
    def warmth(self) -> float:
        """0 white light, 1 the orange of a sun on the horizon."""
        return max(0.0, 1.0 - abs(self.sun_altitude) / 25.0) * (1.0 - 0.7 * self.overcast)

    @property
    def dampness(self) -> float:
        """How much water lies on the road, 0 to 1."""
        return _share(max(self.wetness, self.precipitation_deposits))

    @property
    def visibility(self) -> float:
        """Metres at which fog, rain or dust has taken 63 % of the contrast."""
        density = max(self.fog_density, 0.35 * self.precipitation, 0.8 * self.dust_storm)
        return 2500.0 if density <= 2.0 else 1800.0 / density


def _share(percent: float) -> float:
    return max(0.0, min(1.0, percent / 100.0))
