"""What is behind the things: sky, ground and light of the six places, by day and by night."""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import ImageDraw

from florenz.playground.scene import Scene

SIDE_PX = 192
Colour = tuple[int, int, int]
WATER: Colour = (70, 150, 190)
FOAM: Colour = (150, 205, 225)


def draw_background(canvas: ImageDraw.ImageDraw, scene: Scene, feet: list[float], rng: random.Random) -> None:
    """The ground begins above all `feet` (px from the top), so that what stands does not stand in the sky."""
    is_night = scene.time == "night"
    sky = _shade((34, 42, 88) if is_night else (165, 212, 245), rng)
    horizon = int(max(26, min([SIDE_PX * rng.uniform(0.2, 0.45), *(foot - 6 for foot in feet)])))
    canvas.rectangle((0, 0, SIDE_PX, SIDE_PX), fill=sky)
    _PLACES[scene.place](canvas, horizon, 0.5 if is_night else 1.0, sky, rng)
    if scene.place != "room":
        _draw_light(canvas, is_night, horizon, rng)


def _draw_light(canvas: ImageDraw.ImageDraw, is_night: bool, horizon: int, rng: random.Random) -> None:
    """Moon and stars, or the sun, in the upper corner of the sky."""
    x, y = rng.uniform(12, SIDE_PX - 12), rng.uniform(9, 15)
    if is_night:
        for _ in range(14):
            sx, sy = rng.randrange(SIDE_PX), rng.randrange(max(horizon - 4, 1))
            canvas.point(((sx, sy), (sx + 1, sy)), fill=(230, 230, 200))
    canvas.ellipse((x - 8, y - 8, x + 8, y + 8), fill=(240, 240, 215) if is_night else (255, 240, 130))


def scaled(colour: Colour, light: float) -> Colour:
    r, g, b = (int(level * light) for level in colour)
    return r, g, b


def _shade(colour: Colour, rng: random.Random, light: float = 1.0) -> Colour:
    shift = rng.randint(-10, 10)
    r, g, b = (min(255, max(0, int((level + shift) * light))) for level in colour)
    return r, g, b


def _ground(canvas: ImageDraw.ImageDraw, top: int, fill: Colour) -> None:
    canvas.rectangle((0, top, SIDE_PX, SIDE_PX), fill=fill)


def _draw_grass(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade((120, 190, 95), rng, light))
    blade = _shade((90, 160, 70), rng, light)
    for _ in range(45):
        x, y = rng.randrange(SIDE_PX), rng.randrange(horizon, SIDE_PX)
        canvas.line((x, y, x + rng.randint(-3, 3), y - 7), fill=blade, width=1)


def _draw_sea(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade(WATER, rng, light))
    foam = _shade(FOAM, rng, light)
    for _ in range(18):
        x, y = rng.randrange(-10, SIDE_PX), rng.randrange(horizon + 4, SIDE_PX)
        canvas.arc((x, y, x + 14, y + 8), 200, 340, fill=foam, width=2)


def _draw_room(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    """A wall, a floor, a skirting board and a window; the window shows the sky, which is how a room tells day from
    night.
    """
    indoors = 0.75 if light < 1 else 1.0
    canvas.rectangle((0, 0, SIDE_PX, horizon), fill=_shade((228, 205, 175), rng, indoors))
    _ground(canvas, horizon, _shade((165, 115, 75), rng, indoors))
    canvas.rectangle((0, horizon, SIDE_PX, horizon + 3), fill=_shade((240, 235, 225), rng, indoors))
    x, bottom = rng.randrange(4, SIDE_PX - 52), min(46, horizon - 4)
    canvas.rectangle((x, 3, x + 48, bottom), fill=sky, outline=(110, 80, 60), width=3)
    canvas.line((x + 24, 3, x + 24, bottom), fill=(110, 80, 60), width=2)


def _draw_snow(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade((226, 232, 242), rng, 0.62 if light < 1 else 1.0))
    for _ in range(60):
        x, y = rng.randrange(SIDE_PX), rng.randrange(SIDE_PX)
        canvas.ellipse((x, y, x + 2, y + 2), fill=(255, 255, 255))


def _draw_beach(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    sea_px = rng.randint(10, 18)  # above the feet of everything, so that all stands on sand
    shore = horizon
    _ground(canvas, max(horizon - sea_px, 8), _shade(WATER, rng, light))
    _ground(canvas, shore, _shade((232, 208, 150), rng, light))
    canvas.line((0, shore, SIDE_PX, shore), fill=_shade((245, 245, 240), rng, light), width=3)


def _draw_street(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon - 10, _shade((190, 185, 180), rng, light))  # the pavement on the far side
    _ground(canvas, horizon, _shade((120, 120, 126), rng, light))
    middle = (horizon + SIDE_PX) // 2
    for x in range(rng.randint(-20, 0), SIDE_PX, 36):
        canvas.rectangle((x, middle - 2, x + 18, middle + 2), fill=_shade((235, 235, 225), rng, light))


_PLACES: dict[str, Callable[[ImageDraw.ImageDraw, int, float, Colour, random.Random], None]] = {
    "grass": _draw_grass, "sea": _draw_sea, "room": _draw_room,
    "snow": _draw_snow, "beach": _draw_beach, "street": _draw_street,
}  # fmt: skip
