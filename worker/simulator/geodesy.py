"""Latitude and longitude of a place on a map, as CARLA's GNSS sensor computes them."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

EARTH_RADIUS = 6378137.0
_ORIGIN = re.compile(r"\+(lat_0|lon_0)=([-+0-9.eE]+)")


@dataclass(frozen=True)
class Geodesy:
    """The map's origin in degrees."""

    latitude: float = 0.0
    longitude: float = 0.0

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, opendrive: str) -> "Geodesy":
        """From the <geoReference> of an OpenDRIVE text; the equator without one."""
        start = opendrive.find("<geoReference>")
        found = dict(_ORIGIN.findall(opendrive[start : opendrive.find("</geoReference>")]))
        return cls(float(found.get("lat_0", 0.0)), float(found.get("lon_0", 0.0)))

    def locate(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Latitude, longitude (degrees) and altitude (m) of a CARLA location, as its client computes them: along +y the latitude grows."""
        scale = math.cos(math.radians(self.latitude))
        east = scale * math.radians(self.longitude) * EARTH_RADIUS + x
        north = scale * EARTH_RADIUS * math.log(math.tan(math.radians(90.0 + self.latitude) / 2.0))
        north += y
        longitude = math.degrees(east / (EARTH_RADIUS * scale))
        latitude = 2.0 * math.degrees(math.atan(math.exp(north / (EARTH_RADIUS * scale)))) - 90.0
        return latitude, longitude, z
