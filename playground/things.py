"""How each kind of thing looks: a few filled shapes in a unit square, x to the right and y down, both from -1 to 1.

Every kind has a silhouette of its own, since a small thing is only 19 px across when the captioner sees it; the scene's
colour fills the part that a person would name the colour of (the body of a car, not its wheels).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import ImageDraw

Colour = tuple[int, ...]
DARK: Colour = (40, 36, 40)
LIGHT: Colour = (235, 235, 235)
BROWN: Colour = (120, 80, 50)
GREY: Colour = (150, 150, 155)
LEAF: Colour = (60, 140, 60)
GLASS: Colour = (190, 225, 240)


class Pen:
    """Draws in unit coordinates around (x, y) with the thing's own colour as default; mirrored things face left."""

    def __init__(
        self,
        canvas: ImageDraw.ImageDraw,
        x: float,
        y: float,
        radius: float,
        colour: Colour,
        *,
        is_black: bool,
        is_mirrored: bool,
    ) -> None:
        self._canvas, self._x, self._y, self._radius = canvas, x, y, radius
        self._flip = -1 if is_mirrored else 1
        self.colour = colour
        # A black thing needs a light rim or it would vanish into the night.
        self.rim: Colour = (205, 205, 205) if is_black else DARK

    def _points(self, points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(self._x + self._flip * px * self._radius, self._y + py * self._radius) for px, py in points]

    def polygon(self, *points: tuple[float, float], fill: Colour | None = None) -> None:
        self._canvas.polygon(self._points(points), fill=fill or self.colour, outline=self.rim)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None = None) -> None:
        (ax, ay), (bx, by) = self._points(((x0, y0), (x1, y1)))
        self._canvas.ellipse((min(ax, bx), ay, max(ax, bx), by), fill=fill or self.colour, outline=self.rim)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None = None) -> None:
        self.polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1), fill=fill)

    def line(self, *points: tuple[float, float], width: float = 0.12, fill: Colour | None = None) -> None:
        self._canvas.line(
            self._points(points), fill=fill or self.rim, width=max(2, round(width * self._radius)), joint="curve"
        )

    def arc(self, x0: float, y0: float, x1: float, y1: float, start: float, end: float, width: float) -> None:
        """A stroke in the thing's own colour along an ellipse, angles in degrees clockwise from the right."""
        cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
        angles = [math.radians(start + (end - start) * step / 12) for step in range(13)]
        points = tuple((cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles)
        self.line(*points, width=width + 0.1)
        self.line(*points, width=width, fill=self.colour)

    def dot(self, x: float, y: float, radius: float = 0.08, fill: Colour | None = None) -> None:
        self.ellipse(x - radius, y - radius, x + radius, y + radius, fill=fill or self.rim)


def cat(pen: Pen) -> None:
    pen.polygon((-0.75, -0.3), (-0.7, -1), (-0.15, -0.6))
    pen.polygon((0.75, -0.3), (0.7, -1), (0.15, -0.6))
    pen.ellipse(-0.8, -0.7, 0.8, 0.8)
    pen.dot(-0.3, -0.1, 0.1)
    pen.dot(0.3, -0.1, 0.1)
    pen.polygon((-0.12, 0.2), (0.12, 0.2), (0, 0.35), fill=(230, 130, 140))
    for y in (0.25, 0.45):
        pen.line((-0.3, y), (-0.95, y - 0.05), width=0.05)
        pen.line((0.3, y), (0.95, y - 0.05), width=0.05)


def fish(pen: Pen) -> None:
    pen.polygon((-0.45, 0), (-1, -0.5), (-1, 0.5))
    pen.ellipse(-0.65, -0.5, 0.95, 0.5)
    pen.polygon((0, -0.45), (0.4, -0.8), (0.4, -0.42))
    pen.dot(0.6, -0.1, 0.09)


def duck(pen: Pen) -> None:
    pen.polygon((-0.95, -0.15), (-0.5, 0.1), (-0.5, 0.5))
    pen.ellipse(-0.85, -0.05, 0.6, 0.8)
    pen.ellipse(0.1, -0.85, 0.75, -0.1)
    pen.polygon((0.7, -0.55), (1, -0.4), (0.7, -0.3), fill=(250, 160, 30))
    pen.dot(0.5, -0.55)


def butterfly(pen: Pen) -> None:
    for side in (-1, 1):
        pen.ellipse(min(0, side * 0.95), -0.85, max(0, side * 0.95), 0.1)
        pen.ellipse(min(side * 0.1, side * 0.75), 0, max(side * 0.1, side * 0.75), 0.8)
        pen.line((0, -0.6), (side * 0.3, -1), width=0.06)
        pen.dot(side * 0.5, -0.4, 0.14, fill=LIGHT)
    pen.ellipse(-0.12, -0.65, 0.12, 0.75, fill=DARK)


def turtle(pen: Pen) -> None:
    skin = (150, 170, 90)
    pen.ellipse(0.55, -0.2, 1, 0.3, fill=skin)
    for x in (-0.6, 0.25):
        pen.box(x, 0.3, x + 0.3, 0.7, fill=skin)
    pen.polygon((-0.9, 0.4), (-0.75, -0.2), (-0.3, -0.6), (0.2, -0.6), (0.6, -0.2), (0.75, 0.4))
    pen.line((-0.75, -0.1), (0.6, -0.1), width=0.06)
    pen.line((-0.3, -0.55), (-0.3, 0.4), width=0.06)
    pen.line((0.2, -0.55), (0.2, 0.4), width=0.06)


def car(pen: Pen) -> None:
    pen.polygon((-0.6, -0.1), (-0.35, -0.6), (0.3, -0.6), (0.6, -0.1))
    pen.polygon((-0.42, -0.12), (-0.27, -0.48), (0.23, -0.48), (0.42, -0.12), fill=GLASS)
    pen.box(-1, -0.12, 1, 0.4)
    for x in (-0.55, 0.55):
        pen.ellipse(x - 0.27, 0.15, x + 0.27, 0.68, fill=DARK)


def boat(pen: Pen) -> None:
    pen.line((0, -1), (0, 0.3), width=0.1, fill=BROWN)
    pen.polygon((0.08, -0.95), (0.85, 0.15), (0.08, 0.15))
    pen.polygon((-0.08, -0.7), (-0.65, 0.15), (-0.08, 0.15), fill=LIGHT)
    pen.polygon((-1, 0.3), (1, 0.3), (0.65, 0.85), (-0.65, 0.85))


def bus(pen: Pen) -> None:
    pen.box(-1, -0.75, 1, 0.5)
    for x in (-0.85, -0.4, 0.05, 0.5):
        pen.box(x, -0.55, x + 0.35, -0.1, fill=GLASS)
    for x in (-0.6, 0.6):
        pen.ellipse(x - 0.22, 0.3, x + 0.22, 0.75, fill=DARK)


def airplane(pen: Pen) -> None:
    pen.polygon((-0.1, -0.1), (-0.5, -0.85), (-0.2, -0.85), (0.4, -0.1))
    pen.polygon((-0.75, -0.1), (-1, -0.6), (-0.75, -0.6), (-0.45, -0.1))
    pen.ellipse(-1, -0.25, 1, 0.25)
    pen.polygon((-0.1, 0.05), (-0.55, 0.85), (-0.25, 0.85), (0.4, 0.05))
    pen.dot(0.7, -0.05, 0.1, fill=GLASS)


def tree(pen: Pen) -> None:
    pen.box(-0.17, 0.3, 0.17, 1, fill=BROWN)
    pen.polygon((-0.75, 0.4), (0, -0.35), (0.75, 0.4))
    pen.polygon((-0.6, -0.05), (0, -0.7), (0.6, -0.05))
    pen.polygon((-0.42, -0.45), (0, -1), (0.42, -0.45))


def flower(pen: Pen) -> None:
    pen.line((0, 0), (0, 1), width=0.12, fill=LEAF)
    pen.polygon((0, 0.8), (0.5, 0.45), (0.45, 0.75), fill=LEAF)
    for step in range(6):
        angle = math.pi * step / 3
        x, y = 0.42 * math.cos(angle), -0.35 + 0.42 * math.sin(angle)
        pen.ellipse(x - 0.27, y - 0.27, x + 0.27, y + 0.27)
    pen.ellipse(-0.22, -0.57, 0.22, -0.13, fill=(250, 215, 80))


def mushroom(pen: Pen) -> None:
    pen.polygon((-0.25, -0.1), (0.25, -0.1), (0.35, 0.9), (-0.35, 0.9), fill=(240, 228, 205))
    pen.polygon((-0.95, 0.1), (-0.8, -0.4), (-0.4, -0.75), (0.4, -0.75), (0.8, -0.4), (0.95, 0.1))
    for x, y in ((-0.45, -0.25), (0.1, -0.5), (0.5, -0.15)):
        pen.dot(x, y, 0.13, fill=LIGHT)


def house(pen: Pen) -> None:
    pen.box(-0.75, -0.15, 0.75, 0.9)
    pen.polygon((-1, -0.1), (0, -0.95), (1, -0.1), fill=(130, 70, 60))
    pen.box(-0.2, 0.3, 0.2, 0.9, fill=BROWN)
    pen.box(-0.6, 0.1, -0.3, 0.4, fill=GLASS)
    pen.box(0.3, 0.1, 0.6, 0.4, fill=GLASS)


def cup(pen: Pen) -> None:
    pen.arc(0.2, -0.35, 0.95, 0.35, -90, 90, width=0.14)
    pen.polygon((-0.8, -0.6), (0.55, -0.6), (0.4, 0.75), (-0.65, 0.75))
    pen.ellipse(-0.8, -0.75, 0.55, -0.45, fill=(90, 60, 45))


def umbrella(pen: Pen) -> None:
    pen.line((0, -0.2), (0, 0.75), (0.12, 0.92), (0.3, 0.8), width=0.11, fill=BROWN)
    points = [(math.cos(a), -0.0 + 0.9 * math.sin(a)) for a in (math.pi + math.pi * s / 10 for s in range(11))]
    pen.polygon(*points, (0.66, -0.15), (0.33, 0), (0, -0.15), (-0.33, 0), (-0.66, -0.15))
    pen.line((0, -0.9), (0, -0.15), width=0.06)


def chair(pen: Pen) -> None:
    pen.box(-0.65, -1, -0.4, 0.2)
    pen.box(-0.65, 0.05, 0.65, 0.3)
    pen.box(-0.65, 0.3, -0.45, 1)
    pen.box(0.45, 0.3, 0.65, 1)


def key(pen: Pen) -> None:
    pen.box(-0.2, -0.13, 1, 0.13)
    pen.box(0.45, 0.1, 0.6, 0.5)
    pen.box(0.78, 0.1, 0.95, 0.5)
    pen.ellipse(-1, -0.5, 0, 0.5)
    pen.dot(-0.55, 0, 0.2, fill=LIGHT)


def book(pen: Pen) -> None:
    pen.polygon((0, -0.5), (0.95, -0.7), (0.95, 0.55), (0, 0.75))
    pen.polygon((0, -0.5), (-0.95, -0.7), (-0.95, 0.55), (0, 0.75))
    for y in (-0.3, 0, 0.3):
        pen.line((0.2, y + 0.0), (0.75, y - 0.12), width=0.06)
        pen.line((-0.2, y + 0.0), (-0.75, y - 0.12), width=0.06)
    pen.line((0, -0.5), (0, 0.75), width=0.1)


def bat_animal(pen: Pen) -> None:
    for s in (-1, 1):
        pen.polygon((0, -0.2), (s * 0.5, -0.6), (s, -0.3), (s * 0.95, 0.35), (s * 0.65, 0.1), (s * 0.4, 0.4), (0, 0.3))
        pen.polygon((s * 0.05, -0.35), (s * 0.25, -0.75), (s * 0.28, -0.25))
    pen.ellipse(-0.28, -0.45, 0.28, 0.5)
    pen.dot(-0.1, -0.2, 0.07, fill=LIGHT)
    pen.dot(0.1, -0.2, 0.07, fill=LIGHT)


def bat_sport(pen: Pen) -> None:
    pen.polygon((-0.95, 0.8), (-0.8, 0.95), (0.0, 0.25), (0.95, -0.55), (0.9, -0.85), (0.6, -0.95), (-0.15, 0.05))
    pen.dot(-0.87, 0.87, 0.14)
    pen.ellipse(0.3, 0.35, 0.8, 0.85, fill=LIGHT)


def crane_bird(pen: Pen) -> None:
    for x in (-0.3, 0.0):
        pen.line((x, 0.2), (x, 1), width=0.08, fill=BROWN)
    pen.polygon((-1, 0.1), (-0.4, -0.25), (0.35, -0.15), (0.2, 0.35), (-0.5, 0.4))
    pen.polygon((0.1, -0.1), (0.25, -0.85), (0.45, -0.85), (0.4, 0.1))
    pen.ellipse(0.2, -1, 0.6, -0.65)
    pen.polygon((0.55, -0.9), (1, -0.78), (0.55, -0.72), fill=(250, 160, 30))


def crane_machine(pen: Pen) -> None:
    pen.box(-0.45, -0.9, -0.2, 0.8)
    pen.box(-0.8, -0.75, 1, -0.5)
    pen.box(-0.7, 0.75, 0.1, 1, fill=GREY)
    pen.line((0.75, -0.5), (0.75, 0.3), width=0.07)
    pen.box(0.58, 0.25, 0.92, 0.55, fill=GREY)
    pen.box(-0.8, -0.55, -0.55, -0.15, fill=GREY)


def mouse_animal(pen: Pen) -> None:
    pen.line((-0.7, 0.4), (-0.9, 0.1), (-1, -0.35), width=0.09, fill=(220, 150, 150))
    pen.ellipse(-0.8, -0.15, 0.5, 0.65)
    pen.polygon((0.2, -0.1), (1, 0.35), (0.3, 0.6))
    pen.ellipse(-0.05, -0.7, 0.5, -0.1, fill=(230, 170, 175))
    pen.dot(0.55, 0.15)
    pen.dot(0.97, 0.35, 0.06)


def mouse_computer(pen: Pen) -> None:
    pen.line((0, -0.6), (0.1, -0.85), (-0.15, -1), width=0.08)
    pen.ellipse(-0.6, -0.7, 0.6, 0.95)
    pen.line((0, -0.68), (0, 0), width=0.07)
    pen.line((-0.58, 0), (0.58, 0), width=0.07)
    pen.box(-0.1, -0.5, 0.1, -0.2, fill=GREY)


def bow_ribbon(pen: Pen) -> None:
    pen.polygon((0, 0.05), (-0.5, 0.9), (-0.1, 0.75))
    pen.polygon((0, 0.05), (0.5, 0.9), (0.1, 0.75))
    pen.polygon((0, 0), (-0.95, -0.6), (-0.95, 0.45))
    pen.polygon((0, 0), (0.95, -0.6), (0.95, 0.45))
    pen.ellipse(-0.22, -0.25, 0.22, 0.22)


def bow_weapon(pen: Pen) -> None:
    pen.line((-0.3, -0.95), (-0.3, 0.95), width=0.05)
    pen.arc(-1.1, -0.95, 0.5, 0.95, -90, 90, width=0.16)
    pen.line((-0.75, 0), (0.9, 0), width=0.07, fill=BROWN)
    pen.polygon((0.75, -0.15), (1, 0), (0.75, 0.15), fill=GREY)


def seal_animal(pen: Pen) -> None:
    pen.polygon((-0.6, 0.4), (-1, 0.1), (-0.95, 0.75))
    pen.polygon((-0.85, 0.6), (-0.1, -0.1), (0.2, -0.7), (0.65, -0.7), (0.75, 0.2), (0.55, 0.7))
    pen.ellipse(0.15, -0.95, 0.8, -0.3)
    pen.polygon((0.1, 0.45), (0.0, 0.95), (0.45, 0.65))
    pen.dot(0.5, -0.7)
    pen.dot(0.8, -0.58, 0.09)


def seal_stamp(pen: Pen) -> None:
    pen.ellipse(-0.22, -1, 0.22, -0.55)
    pen.polygon((-0.15, -0.65), (0.15, -0.65), (0.3, 0.25), (-0.3, 0.25))
    pen.box(-0.7, 0.2, 0.7, 0.6)
    pen.box(-0.8, 0.72, 0.8, 0.92, fill=(180, 40, 50))


def nut_food(pen: Pen) -> None:
    pen.polygon((-0.6, -0.15), (0.6, -0.15), (0.45, 0.5), (0, 0.95), (-0.45, 0.5))
    pen.polygon((-0.8, -0.1), (-0.65, -0.5), (0, -0.7), (0.65, -0.5), (0.8, -0.1), fill=BROWN)
    pen.line((0, -0.65), (0.1, -0.98), width=0.13, fill=BROWN)


def nut_metal(pen: Pen) -> None:
    pen.polygon(*[(0.95 * math.cos(math.pi * s / 3), 0.95 * math.sin(math.pi * s / 3)) for s in range(6)])
    pen.ellipse(-0.42, -0.42, 0.42, 0.42, fill=(90, 90, 95))
    pen.ellipse(-0.28, -0.28, 0.28, 0.28, fill=(225, 225, 225))


def palm_tree(pen: Pen) -> None:
    pen.polygon((-0.1, -0.3), (0.1, -0.3), (0.35, 1), (0.05, 1), fill=BROWN)
    for x, y in ((-0.95, 0.15), (-0.85, -0.6), (0.85, -0.6), (0.95, 0.15)):
        pen.polygon((0, -0.35), (x * 0.5, y - 0.35), (x, y), (x * 0.55, y * 0.4 - 0.05))
    pen.polygon((-0.15, -0.35), (0, -1), (0.15, -0.35))


def palm_hand(pen: Pen) -> None:
    for x, top in ((-0.55, -0.7), (-0.22, -0.95), (0.11, -0.95), (0.44, -0.7)):
        pen.box(x, top, x + 0.24, 0.1)
    pen.polygon((0.5, 0.55), (1, -0.1), (0.8, -0.25), (0.5, 0.1))
    pen.polygon((-0.6, -0.05), (0.68, -0.05), (0.6, 0.6), (0.35, 0.95), (-0.35, 0.95), (-0.6, 0.6))


THINGS: dict[str, Callable[[Pen], None]] = {
    function.__name__: function
    for function in (
        cat, fish, duck, butterfly, turtle, car, boat, bus, airplane, tree, flower, mushroom, house, cup, umbrella,
        chair, key, book, bat_animal, bat_sport, crane_bird, crane_machine, mouse_animal, mouse_computer, bow_ribbon,
        bow_weapon, seal_animal, seal_stamp, nut_food, nut_metal, palm_tree, palm_hand,
    )
}  # fmt: skip
