"""Draws an episode as an animated WebP: the road ahead where there is a camera, and the map beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

from PIL import Image, ImageDraw

from backend.runs.snapshots import Point

HEIGHT, MAP_WIDTH = 180, 240
MOST_FRAMES = 200
QUALITY = 60
MARGIN = 16
GROUND, ROUTE, DRIVEN, GOAL, CAR, TEXT = (
    "#12161d",
    "#4a5565",
    "#6ea0ff",
    "#45d19b",
    "#ffffff",
    "#c9d2de",
)
# Nose and rear corners of the car's mark, pixels, driving east.
MARK = ((7.0, 0.0), (-5.0, 4.5), (-5.0, -4.5))


@dataclass(frozen=True)
class Shot:
    """A moment of an episode: metres, radians, m/s, per cent, simulated seconds since it began."""

    position: Point
    heading: float
    speed: float
    route_percent: float
    seconds: float
    picture: Image.Image | None


def film(shots: Sequence[Shot], route: Sequence[Point]) -> bytes:
    """The shots as an animated WebP in simulated time that plays once and again."""
    frames = _frames(shots, route)
    times = [round(1000 * (after.seconds - shot.seconds)) for shot, after in pairwise(shots)]
    out = BytesIO()
    frames[0].save(
        out,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        # The end stands for a moment before it begins again.
        duration=[max(20, ms) for ms in times] + [1500],
        loop=0,
        quality=QUALITY,
        method=0,
    )
    return out.getvalue()


def poster(shots: Sequence[Shot], route: Sequence[Point]) -> bytes:
    """Its last frame, which shows the whole way driven and how it ended."""
    out = BytesIO()
    _frames(shots, route)[-1].save(out, "WEBP", quality=QUALITY, method=0)
    return out.getvalue()


def _frames(shots: Sequence[Shot], route: Sequence[Point]) -> list[Image.Image]:
    """One image a shot; the map's drawing is kept and only grows."""
    scale = _Scale.of([*route, *(shot.position for shot in shots)])
    ground = Image.new("RGB", (MAP_WIDTH, HEIGHT), GROUND)
    pen = ImageDraw.Draw(ground)
    way = [scale.pixel(point) for point in route]
    pen.line(way, ROUTE, 4, joint="curve")
    x, y = way[-1]
    pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=GOAL, width=2)
    frames = []
    before = scale.pixel(shots[0].position)
    for shot in shots:
        at = scale.pixel(shot.position)
        pen.line([before, at], DRIVEN, 3)
        before = at
        frames.append(_frame(shot, ground, at))
    return frames


def _frame(shot: Shot, ground: Image.Image, at: Point) -> Image.Image:
    chart = ground.copy()
    pen = ImageDraw.Draw(chart)
    cosine, sine = math.cos(shot.heading), math.sin(shot.heading)
    corners = [(at[0] + a * cosine - b * sine, at[1] + a * sine + b * cosine) for a, b in MARK]
    pen.polygon(corners, CAR)
    words = f"{shot.seconds:.1f} s   {shot.speed:.1f} m/s   {shot.route_percent:.0f} %"
    pen.text((6, HEIGHT - 15), words, TEXT)
    if shot.picture is None:
        return chart
    wide, high = shot.picture.size
    seen = shot.picture.resize((round(HEIGHT * wide / high), HEIGHT))
    sheet = Image.new("RGB", (seen.width + MAP_WIDTH, HEIGHT), GROUND)
    sheet.paste(seen, (0, 0))
    sheet.paste(chart, (seen.width, 0))
    return sheet


@dataclass(frozen=True)
class _Scale:
    """Metres to pixels of the map, north up, everything driven in view."""

    left: float
    top: float
    factor: float
    shift: Point

    @classmethod
    def of(cls, points: Sequence[Point]) -> "_Scale":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        room = (MAP_WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - 8)
        wide, high = max(xs) - min(xs), max(ys) - min(ys)
        factor = min(room[0] / max(wide, 1.0), room[1] / max(high, 1.0))
        shift = (
            MARGIN + (room[0] - factor * wide) / 2,
            MARGIN + (room[1] - factor * high) / 2,
        )
        return cls(min(xs), min(ys), factor, shift)

    def pixel(self, point: Point) -> Point:
        return (
            self.shift[0] + (point[0] - self.left) * self.factor,
            self.shift[1] + (point[1] - self.top) * self.factor,
        )
