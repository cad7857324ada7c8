"""Plants, fruits and fungi. Unit coordinates: x to the right, y down, from -1 to 1."""

from __future__ import annotations

from florenz.playground.things.pen import BROWN, LEAF, LIGHT, Pen, ring


def cactus(pen: Pen) -> None:
    pen.curve((-0.3, 0.97), (-0.3, -0.6), (-0.25, -1), (0.25, -1), (0.3, -0.6), (0.3, 0.97))
    pen.line((-0.1, -0.7), (-0.1, 0.85), width=0.05)
    pen.line((0.1, -0.7), (0.1, 0.85), width=0.05)
    pen.polygon((-0.25, 0.15), (-0.25, 0.42), (-0.85, 0.42), (-0.95, 0.3), (-0.95, -0.4), (-0.82, -0.52), (-0.68, -0.4),
                (-0.68, 0.15))  # fmt: skip
    pen.polygon((0.25, -0.05), (0.25, 0.22), (0.8, 0.22), (0.92, 0.1), (0.92, -0.6), (0.79, -0.72), (0.66, -0.6),
                (0.66, -0.05))  # fmt: skip


def flower(pen: Pen) -> None:
    pen.line((0, 0), (0, 1), width=0.14, fill=LEAF)
    pen.polygon((0, 0.85), (0.55, 0.4), (0.45, 0.8), fill=LEAF)
    pen.polygon((0, 0.95), (-0.55, 0.5), (-0.45, 0.9), fill=LEAF)
    for x, y in ring(0, -0.4, 0.4, 6):
        pen.ellipse(x - 0.27, y - 0.27, x + 0.27, y + 0.27)
    pen.ellipse(-0.22, -0.62, 0.22, -0.18, fill=(250, 215, 80))


def mushroom(pen: Pen) -> None:
    pen.polygon((-0.25, -0.1), (0.25, -0.1), (0.35, 0.9), (-0.35, 0.9), fill=(240, 228, 205))
    pen.polygon((-0.95, 0.1), (-0.8, -0.4), (-0.4, -0.75), (0.4, -0.75), (0.8, -0.4), (0.95, 0.1))
    for x, y in ((-0.45, -0.25), (0.1, -0.5), (0.5, -0.15)):
        pen.dot(x, y, 0.13, fill=LIGHT)


def apple(pen: Pen) -> None:
    pen.line((0, -0.5), (0.08, -0.95), width=0.13, fill=BROWN)
    pen.curve((0.08, -0.65), (0.35, -1.05), (0.8, -0.85), (0.45, -0.55), fill=LEAF)
    pen.curve((0, -0.4), (0.6, -0.8), (1.0, -0.1), (0.75, 0.7), (0.3, 1.05), (0, 0.8), (-0.3, 1.05), (-0.75, 0.7),
              (-1.0, -0.1), (-0.6, -0.8))  # fmt: skip


def nut_food(pen: Pen) -> None:
    """A walnut in its shell: a raised seam from the tip down, and shallow furrows in a darker tone."""
    pen.curve((0, -1.15), (0.3, -0.75), (0.8, -0.55), (0.98, 0.2), (0.65, 0.95), (0, 1.0), (-0.65, 0.95), (-0.98, 0.2),
              (-0.8, -0.55), (-0.3, -0.75))  # fmt: skip
    for side in (-1, 1):
        for points in (
            ((0.7, -0.3), (0.5, -0.4), (0.35, -0.2), (0.5, 0.0), (0.8, 0.0)),
            ((0.75, 0.35), (0.5, 0.25), (0.32, 0.4), (0.45, 0.6), (0.6, 0.6)),
        ):
            pen.line(*((side * x, y) for x, y in points), width=0.09, fill=pen.shadow)
    pen.curve((0, -1.0), (0.14, -0.6), (0.16, 0.6), (0, 0.95), (-0.16, 0.6), (-0.14, -0.6))
