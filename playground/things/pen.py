"""The pen that things are drawn with, and the colours that are nobody's own."""

from __future__ import annotations

import math

from PIL import ImageDraw

Colour = tuple[int, ...]
Point = tuple[float, float]
DARK: Colour = (40, 36, 40)
LIGHT: Colour = (235, 235, 235)
BROWN: Colour = (120, 80, 50)
GREY: Colour = (150, 150, 155)
LEAF: Colour = (60, 140, 60)
GLASS: Colour = (190, 225, 240)
BEAK: Colour = (245, 165, 40)


class Pen:
    """Draws in unit coordinates around (x, y) with the thing's own colour as default, after so many quarter turns
    clockwise; mirrored things face left.
    """

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
        turns: int = 0,
    ) -> None:
        self._canvas, self._x, self._y, self._radius = canvas, x, y, radius
        self._flip, self._turns = -1 if is_mirrored else 1, turns
        self.colour = colour
        # A black thing needs a light rim or it would vanish into the night.
        self.rim: Colour = (205, 205, 205) if is_black else DARK
        self.shadow: Colour = (95, 95, 95) if is_black else tuple(level * 3 // 5 for level in colour)

    def _points(self, points: tuple[Point, ...]) -> list[Point]:
        turned = [_turned(point, self._turns) for point in points]
        return [(self._x + self._flip * px * self._radius, self._y + py * self._radius) for px, py in turned]

    def polygon(self, *points: Point, fill: Colour | None = None) -> None:
        self._canvas.polygon(self._points(points), fill=fill or self.colour, outline=self.rim)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None = None) -> None:
        (ax, ay), (bx, by) = self._points(((x0, y0), (x1, y1)))
        box = (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        self._canvas.ellipse(box, fill=fill or self.colour, outline=self.rim)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None = None) -> None:
        self.polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1), fill=fill)

    def curve(self, *points: Point, fill: Colour | None = None) -> None:
        """A closed smooth shape through the middles of the lines between the points (quadratic B-spline)."""
        self.polygon(*_smooth(points), fill=fill)

    def line(self, *points: Point, width: float = 0.12, fill: Colour | None = None) -> None:
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


def _turned(point: Point, turns: int) -> Point:
    x, y = point
    for _ in range(turns % 4):
        x, y = -y, x
    return x, y


def _smooth(points: tuple[Point, ...], steps: int = 4) -> list[Point]:
    found = []
    for number, (bx, by) in enumerate(points):
        (ax, ay), (cx, cy) = points[number - 1], points[(number + 1) % len(points)]
        start, end = ((ax + bx) / 2, (ay + by) / 2), ((bx + cx) / 2, (by + cy) / 2)
        for step in range(steps):
            t = step / steps
            u = 1 - t
            found.append(
                (
                    u * u * start[0] + 2 * u * t * bx + t * t * end[0],
                    u * u * start[1] + 2 * u * t * by + t * t * end[1],
                )
            )
    return found


def ring(cx: float, cy: float, radius: float, corners: int, start: float = 0.0) -> list[Point]:
    angles = [math.radians(start + 360 * corner / corners) for corner in range(corners)]
    return [(cx + radius * math.cos(angle), cy + radius * math.sin(angle)) for angle in angles]
