"""Draws a scene with Pillow: a background for the place and the time of day, and the groups where their relation puts
them.

Pictures are 192 x 192 px. A small thing is 38 px across, a large one 60 px (both +-5%), so that sizes can be told apart
even in a picture with one group. Things keep their colours at night; only the background darkens.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from florenz.playground.scene import Group, Scene
from florenz.playground.things import THINGS, Pen

SIDE_PX = 192
RADIUS_PX = {"small": 19.0, "large": 30.0}
PALETTE = {
    "red": (214, 32, 38), "orange": (247, 140, 20), "yellow": (250, 225, 50), "green": (40, 160, 60),
    "blue": (40, 90, 215), "purple": (140, 60, 175), "white": (248, 248, 246), "black": (28, 28, 32),
}  # fmt: skip
Colour = tuple[int, int, int]


def draw_scene(scene: Scene, rng: random.Random) -> Image.Image:
    """An RGB picture of the scene, SIDE_PX square; `rng` settles the layout, the shades and which way things face."""
    return draw_and_locate(scene, rng)[0]


def draw_and_locate(scene: Scene, rng: random.Random) -> tuple[Image.Image, list[tuple[str, float, float]]]:
    """The picture, and (kind, x, y) of every thing in it, centres in px."""
    image = Image.new("RGB", (SIDE_PX, SIDE_PX))
    canvas = ImageDraw.Draw(image)
    _draw_background(canvas, scene, rng)
    centres = []
    for index, group in enumerate(scene.groups):
        centres += [(group.kind, x, y) for x, y in _draw_group(canvas, group, scene.relation, index, rng)]
    return image, centres


def _lane(relation: str, index: int, rng: random.Random) -> float:
    """Where the line on which a group stands lies, in px from the left ("left") or from the top."""
    if relation == "alone":
        return SIDE_PX / 2 + rng.uniform(-25, 25)
    return SIDE_PX * (0.25 + 0.5 * index) + rng.uniform(-10, 10)


def _places_along(count: int, radius: float, rng: random.Random) -> list[float]:
    """Centres of `count` things on their lane, px, at a random gap, their middle at most 18 px off the lane's middle.

    The lanes of two groups are at least 76 px apart, so that no picture is as much "A above B" as "B left of A"; and a
    group that is alone is "in the middle", as its caption says.
    """
    free_px = max(0.0, SIDE_PX - 2 * radius * count)
    gap_px = min(rng.uniform(1, 14), free_px / max(count - 1, 1))
    slack_px = min(18.0, (free_px - gap_px * (count - 1)) / 2)
    middle = SIDE_PX / 2 + rng.uniform(-slack_px, slack_px)
    return [middle + (number - (count - 1) / 2) * (2 * radius + gap_px) for number in range(count)]


def _draw_group(
    canvas: ImageDraw.ImageDraw, group: Group, relation: str, index: int, rng: random.Random
) -> list[tuple[float, float]]:
    """One to three things along the group's lane: downwards when the groups stand side by side, else from left to
    right. Gives their centres.
    """
    radius = RADIUS_PX[group.size] * rng.uniform(0.95, 1.05)
    lane_px = _lane(relation, index, rng)
    shade = tuple(min(255, max(0, level + rng.randint(-8, 8))) for level in PALETTE[group.colour])
    is_mirrored = rng.random() < 0.5
    centres = []
    for along in _places_along(group.count, radius, rng):
        across = min(max(lane_px + rng.uniform(-6, 6), radius), SIDE_PX - radius)
        x, y = (across, along) if relation == "left" else (along, across)
        pen = Pen(canvas, x, y, radius, shade, is_black=group.colour == "black", is_mirrored=is_mirrored)
        THINGS[group.kind](pen)
        centres.append((x, y))
    return centres


def _draw_background(canvas: ImageDraw.ImageDraw, scene: Scene, rng: random.Random) -> None:
    is_night = scene.time == "night"
    sky = _shade((34, 42, 88) if is_night else (165, 212, 245), rng)
    horizon = int(SIDE_PX * rng.uniform(0.3, 0.5))
    canvas.rectangle((0, 0, SIDE_PX, SIDE_PX), fill=sky)
    _PLACES[scene.place](canvas, horizon, 0.5 if is_night else 1.0, sky, rng)
    if scene.place != "room":
        _draw_light(canvas, is_night, horizon, rng)


def _draw_light(canvas: ImageDraw.ImageDraw, is_night: bool, horizon: int, rng: random.Random) -> None:
    """Moon and stars, or the sun, in the upper corner of the sky."""
    x, y = rng.uniform(12, SIDE_PX - 12), rng.uniform(10, 18)
    if is_night:
        for _ in range(14):
            sx, sy = rng.randrange(SIDE_PX), rng.randrange(max(horizon - 4, 1))
            canvas.point(((sx, sy), (sx + 1, sy)), fill=(230, 230, 200))
    canvas.ellipse((x - 8, y - 8, x + 8, y + 8), fill=(240, 240, 215) if is_night else (255, 240, 130))


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
    _ground(canvas, horizon, _shade((70, 150, 190), rng, light))
    foam = _shade((150, 205, 225), rng, light)
    for _ in range(18):
        x, y = rng.randrange(-10, SIDE_PX), rng.randrange(horizon + 4, SIDE_PX)
        canvas.arc((x, y, x + 14, y + 8), 200, 340, fill=foam, width=2)


def _draw_room(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    """A wall, a floor, a skirting board and a window; the window shows the sky, which is how a room tells day from
    night.
    """
    floor_top = int(SIDE_PX * rng.uniform(0.68, 0.78))
    indoors = 0.75 if light < 1 else 1.0
    canvas.rectangle((0, 0, SIDE_PX, floor_top), fill=_shade((228, 205, 175), rng, indoors))
    _ground(canvas, floor_top, _shade((165, 115, 75), rng, indoors))
    canvas.rectangle((0, floor_top, SIDE_PX, floor_top + 4), fill=_shade((240, 235, 225), rng, indoors))
    x = rng.randrange(4, SIDE_PX - 52)
    canvas.rectangle((x, 6, x + 48, 46), fill=sky, outline=(110, 80, 60), width=3)
    canvas.line((x + 24, 6, x + 24, 46), fill=(110, 80, 60), width=2)


def _draw_snow(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade((226, 232, 242), rng, 0.62 if light < 1 else 1.0))
    for _ in range(60):
        x, y = rng.randrange(SIDE_PX), rng.randrange(SIDE_PX)
        canvas.ellipse((x, y, x + 2, y + 2), fill=(255, 255, 255))


def _draw_beach(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade((70, 150, 190), rng, light))
    shore = horizon + rng.randint(14, 24)
    _ground(canvas, shore, _shade((232, 208, 150), rng, light))
    canvas.line((0, shore, SIDE_PX, shore), fill=_shade((245, 245, 240), rng, light), width=3)


def _draw_street(canvas: ImageDraw.ImageDraw, horizon: int, light: float, sky: Colour, rng: random.Random) -> None:
    _ground(canvas, horizon, _shade((190, 185, 180), rng, light))
    _ground(canvas, horizon + 14, _shade((120, 120, 126), rng, light))
    middle = (horizon + 14 + SIDE_PX) // 2
    for x in range(rng.randint(-20, 0), SIDE_PX, 36):
        canvas.rectangle((x, middle - 2, x + 18, middle + 2), fill=_shade((235, 235, 225), rng, light))


_PLACES: dict[str, Callable[[ImageDraw.ImageDraw, int, float, Colour, random.Random], None]] = {
    "grass": _draw_grass, "sea": _draw_sea, "room": _draw_room,
    "snow": _draw_snow, "beach": _draw_beach, "street": _draw_street,
}  # fmt: skip
