"""Draws a scene with Pillow: a background for the place and the time of day, and the groups where their relation puts
them.

Pictures are 192 x 192 px. A small thing is 38 px across, a large one 60 px (both +-5%), so that sizes can be told apart
even in a picture with one group. Things keep their colours at night; only the background darkens. What stands, lies or
sits has a shadow under it and the ground behind it; what floats sits in a ripple; what hangs has a string and
no shadow.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops, ImageDraw

from florenz.playground.backgrounds import FOAM, SIDE_PX, WATER, draw_background, scaled
from florenz.playground.scene import Group, Scene
from florenz.playground.things import THINGS, TURNS
from florenz.playground.things.pen import Pen

RADIUS_PX = {"small": 19.0, "large": 30.0}
PALETTE = {
    "red": (214, 32, 38), "orange": (247, 140, 20), "yellow": (250, 225, 50), "green": (40, 160, 60),
    "blue": (30, 60, 190), "light_blue": (110, 195, 255), "purple": (140, 60, 175), "white": (248, 248, 246),
    "black": (28, 28, 32),
}  # fmt: skip


@dataclass(frozen=True)
class Placed:
    """A thing and where its centre lies, in px."""

    group: Group
    x: float
    y: float
    radius: float
    shade: tuple[int, ...]
    is_mirrored: bool

    @property
    def turns(self) -> int:
        return TURNS.get((self.group.kind, self.group.pose), 0)

    @property
    def top(self) -> float:
        return self.y + self.radius * reach(self.group.kind, self.turns)[1]

    @property
    def bottom(self) -> float:
        return self.y + self.radius * reach(self.group.kind, self.turns)[3]


def draw_scene(scene: Scene, rng: random.Random) -> Image.Image:
    """An RGB picture of the scene, SIDE_PX square; `rng` settles the layout, the shades and which way things face."""
    return draw_and_locate(scene, rng)[0]


def draw_and_locate(scene: Scene, rng: random.Random) -> tuple[Image.Image, list[Placed]]:
    """The picture, and every thing in it with its place."""
    image = Image.new("RGB", (SIDE_PX, SIDE_PX))
    canvas = ImageDraw.Draw(image)
    groups = [_place_group(group, scene.relation, index, rng) for index, group in enumerate(scene.groups)]
    things = [thing for group in groups for thing in group]
    feet = [thing.bottom for thing in things if thing.group.pose != "hang"]
    draw_background(canvas, scene, feet, rng)
    for thing in things:
        if thing.group.pose == "hang":
            _draw_string(canvas, thing, scene.time)
    for thing in sorted(things, key=lambda thing: thing.y):  # what is nearer comes later
        _draw_thing(canvas, thing, scene)
    return image, things


def _lane(relation: str, index: int, rng: random.Random) -> float:
    """Where the line on which a group stands lies, in px from the left ("left") or from the top."""
    if relation == "alone":
        return SIDE_PX / 2 + rng.uniform(-25, 25)
    return SIDE_PX * (0.25 + 0.5 * index) + rng.uniform(-10, 10)


def _places_along(count: int, radius: float, rng: random.Random) -> list[float]:
    """Centres of `count` things on their lane, px, at a random gap, their middle at most 18 px off the lane's middle.

    The lanes of two groups are at least 76 px apart, so that no picture is as much "A above B" as "B left of A"; and a
    group that is alone is "in the middle", as its caption says. Five things zigzag, or they would not fit.
    """
    step_px = 2 * radius if count <= 3 else 1.85 * radius
    free_px = max(0.0, SIDE_PX - 2 * radius - step_px * (count - 1))
    gap_px = min(rng.uniform(1, 14), free_px / max(count - 1, 1))
    slack_px = min(18.0, (free_px - gap_px * (count - 1)) / 2)
    middle = SIDE_PX / 2 + rng.uniform(-slack_px, slack_px)
    return [middle + (number - (count - 1) / 2) * (step_px + gap_px) for number in range(count)]


def _place_group(group: Group, relation: str, index: int, rng: random.Random) -> list[Placed]:
    """The group's things along its lane: downwards when the groups stand side by side, else from left to right."""
    radius = RADIUS_PX[group.size] * rng.uniform(0.95, 1.05)
    lane_px = _lane(relation, index, rng)
    shade = tuple(min(255, max(0, level + rng.randint(-8, 8))) for level in PALETTE[group.colour])
    is_mirrored = rng.random() < 0.5
    zigzag_px = 0.0 if group.count <= 3 else rng.choice((-1, 1)) * 0.75 * radius
    placed = []
    for number, along in enumerate(_places_along(group.count, radius, rng)):
        across = lane_px + (-zigzag_px if number % 2 else zigzag_px) + rng.uniform(-6, 6) * (group.count <= 3)
        across = min(max(across, radius), SIDE_PX - radius)
        x, y = (across, along) if relation == "left" else (along, across)
        placed.append(Placed(group, x, y, radius, shade, is_mirrored))
    return placed


def _draw_thing(canvas: ImageDraw.ImageDraw, thing: Placed, scene: Scene) -> None:
    light = 0.5 if scene.time == "night" else 1.0
    x, bottom, radius = thing.x, thing.bottom, thing.radius
    if thing.group.pose == "float":
        canvas.ellipse((x - 1.05 * radius, bottom - 9, x + 1.05 * radius, bottom + 2), fill=scaled(FOAM, light))
    elif thing.group.pose != "hang":
        canvas.ellipse((x - 0.9 * radius, bottom - 4, x + 0.9 * radius, bottom + 3), fill=scaled((70, 70, 66), light))
    is_black = thing.group.colour == "black"
    pen = Pen(canvas, x, thing.y, radius, thing.shade, is_black=is_black, is_mirrored=thing.is_mirrored,
              turns=thing.turns)  # fmt: skip
    THINGS[thing.group.kind](pen)
    if thing.group.pose == "float":  # the water stands before its foot
        left, right, ripple = x - 1.05 * radius, x + 1.05 * radius, scaled(FOAM, light)
        canvas.chord((left, bottom - 12, right, bottom + 3), 0, 180, fill=scaled(WATER, light))
        canvas.arc((left, bottom - 9, right, bottom + 2), 0, 180, fill=ripple, width=2)


def _draw_string(canvas: ImageDraw.ImageDraw, thing: Placed, time: str) -> None:
    fill = (200, 200, 190) if time == "night" else (70, 55, 45)
    canvas.line((thing.x, 0, thing.x, thing.top + 0.2 * thing.radius), fill=fill, width=2)


@cache
def reach(kind: str, turns: int) -> tuple[float, float, float, float]:
    """How far a thing reaches from its centre, in radii: left, top, right, bottom."""
    blank = Image.new("RGB", (400, 400), (255, 0, 255))  # no thing is of this colour
    image = blank.copy()
    THINGS[kind](
        Pen(ImageDraw.Draw(image), 200, 200, 100, (200, 30, 30), is_black=False, is_mirrored=False, turns=turns)
    )
    box = ImageChops.difference(image, blank).getbbox()
    assert box is not None, kind
    left, top, right, bottom = ((edge - 200) / 100 for edge in box)
    return left, top, right, bottom
