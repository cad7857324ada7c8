"""Animals. Unit coordinates: x to the right, y down, from -1 to 1."""

from __future__ import annotations

import math

from florenz.playground.things.pen import BEAK, BROWN, DARK, LIGHT, Pen


def cat(pen: Pen) -> None:
    pen.curve((0.35, 0.9), (1.0, 0.95), (1.05, 0.1), (0.75, -0.05), (0.8, 0.6), (0.4, 0.65))  # tail
    pen.curve((-0.6, 1.15), (-0.55, 0.0), (-0.1, -0.35), (0.45, 0.1), (0.6, 1.1), (0, 0.95))
    pen.polygon((-0.72, -0.5), (-0.68, -1), (-0.35, -0.78))
    pen.polygon((0.22, -0.5), (0.18, -1), (-0.15, -0.78))
    pen.ellipse(-0.75, -0.85, 0.25, 0.0)
    pen.dot(-0.45, -0.48, 0.09)
    pen.dot(-0.05, -0.48, 0.09)
    pen.line((-0.35, -0.2), (-0.25, -0.26), (-0.15, -0.2), width=0.07)
    pen.line((-0.25, 0.5), (-0.25, 0.95), width=0.06)


def snail(pen: Pen) -> None:
    skin = (222, 190, 140)
    for x in (0.62, 0.88):
        pen.line((0.7, 0.1), (x, -0.55), width=0.07)
        pen.dot(x, -0.6, 0.08)
    pen.curve((-1.1, 1.0), (-0.9, 0.6), (0.3, 0.7), (0.45, -0.1), (0.75, -0.25), (1.0, 0.1), (0.85, 1.0), fill=skin)
    pen.ellipse(-0.8, -0.75, 0.5, 0.6)
    spiral = [(-0.12 + r * math.cos(a), -0.05 + r * math.sin(a)) for a, r in ((s * 0.5, 0.03 * s) for s in range(18))]
    pen.line(*spiral, width=0.09)


def duck(pen: Pen) -> None:
    for x in (-0.2, 0.15):
        pen.line((x, 0.6), (x, 0.95), (x + 0.2, 0.95), width=0.09, fill=BEAK)
    pen.polygon((0.68, -0.68), (1, -0.52), (0.66, -0.42), fill=BEAK)
    pen.curve(
        (0.2, -0.55), (0.25, -0.95), (0.75, -0.95), (0.8, -0.4), (0.5, -0.25), (0.7, 0.2), (0.5, 0.75), (-0.4, 0.8),
        (-0.85, 0.4), (-1.05, -0.25), (-0.5, 0.05), (0.1, 0.05), (0.3, -0.2),
    )  # fmt: skip
    pen.line((-0.45, 0.3), (-0.1, 0.5), (0.25, 0.25), width=0.07)
    pen.dot(0.52, -0.62)


def butterfly(pen: Pen) -> None:
    for side in (-1, 1):
        pen.ellipse(min(0, side * 0.95), -0.85, max(0, side * 0.95), 0.1)
        pen.ellipse(min(side * 0.1, side * 0.75), 0, max(side * 0.1, side * 0.75), 0.8)
        pen.line((0, -0.6), (side * 0.3, -1), width=0.06)
        pen.dot(side * 0.5, -0.4, 0.14, fill=LIGHT)
    pen.ellipse(-0.12, -0.65, 0.12, 0.75, fill=DARK)


def turtle(pen: Pen) -> None:
    skin = (150, 170, 90)
    pen.curve((0.5, 0.4), (0.6, -0.1), (0.75, -0.4), (1.05, -0.3), (1.0, 0.1), (0.8, 0.4), fill=skin)
    pen.dot(0.87, -0.16, 0.06)
    pen.polygon((-0.7, 0.35), (-1, 0.55), (-0.65, 0.5), fill=skin)
    for x in (-0.65, 0.25):
        pen.box(x, 0.35, x + 0.32, 0.85, fill=skin)
    pen.polygon((-0.85, 0.45), (-0.75, -0.15), (-0.4, -0.55), (0.2, -0.55), (0.55, -0.15), (0.65, 0.45))
    pen.line((-0.4, -0.5), (-0.3, 0.0), (0.1, 0.0), (0.2, -0.5), width=0.07)
    pen.line((-0.75, 0.1), (-0.3, 0.0), (-0.4, 0.45), width=0.07)
    pen.line((0.55, 0.1), (0.1, 0.0), (0.2, 0.45), width=0.07)


def bat_animal(pen: Pen) -> None:
    for s in (-1, 1):
        pen.polygon((0, -0.2), (s * 0.5, -0.6), (s, -0.3), (s * 0.95, 0.35), (s * 0.65, 0.1), (s * 0.4, 0.4), (0, 0.3))
        pen.polygon((s * 0.05, -0.35), (s * 0.25, -0.75), (s * 0.28, -0.25))
    pen.ellipse(-0.28, -0.45, 0.28, 0.5)
    pen.dot(-0.1, -0.2, 0.07, fill=LIGHT)
    pen.dot(0.1, -0.2, 0.07, fill=LIGHT)


def crane_bird(pen: Pen) -> None:
    """Long legs, long neck, long bill, and a tail that hangs down."""
    pen.line((-0.1, 0.2), (-0.15, 0.95), (0.05, 0.95), width=0.08, fill=BROWN)
    pen.line((0.1, 0.2), (0.3, 0.5), (0.0, 0.65), width=0.08, fill=BROWN)
    pen.curve((0.1, 0.0), (0.35, -0.1), (0.2, -0.6), (0.35, -0.98), (0.7, -0.95), (0.6, -0.68), (0.45, -0.65),
              (0.6, -0.1), (0.35, 0.3))  # fmt: skip
    pen.polygon((0.6, -0.93), (1, -0.7), (0.55, -0.76), fill=BEAK)
    pen.curve((0.5, 0.0), (0.3, 0.4), (-0.4, 0.4), (-1.0, 0.75), (-0.95, 0.2), (-0.6, -0.2), (0.1, -0.25))
    pen.line((-0.9, 0.5), (-0.3, 0.15), width=0.07)
    pen.dot(0.52, -0.85, 0.06)


def mouse_animal(pen: Pen) -> None:
    pen.line((-0.7, 0.6), (-0.95, 0.5), (-1, 0.1), (-0.85, -0.2), width=0.09, fill=(220, 150, 150))
    pen.curve((-0.85, 0.95), (-0.95, 0.3), (-0.5, -0.2), (0.1, -0.1), (0.55, 0.0), (1.15, 0.5), (0.95, 0.75),
              (0.5, 0.9))  # fmt: skip
    pen.ellipse(0.05, -0.55, 0.6, 0.1)
    pen.ellipse(0.16, -0.42, 0.49, -0.02, fill=(240, 180, 185))
    pen.dot(0.62, 0.3)
    pen.dot(0.97, 0.55, 0.08)
    for x in (-0.45, 0.25):
        pen.line((x, 0.85), (x + 0.25, 0.93), width=0.08, fill=(220, 150, 150))


def owl_barn(pen: Pen) -> None:
    """A round head without tufts, a pale face like a heart, small dark eyes, a speckled breast."""
    for x in (-0.25, 0.2):
        pen.line((x, 0.8), (x, 0.97), (x + 0.12, 0.97), width=0.1, fill=BEAK)
    pen.curve((-0.6, -0.2), (-0.85, 0.2), (-0.6, 0.95), (0, 1.0), (0.6, 0.95), (0.85, 0.2), (0.6, -0.2))
    pen.ellipse(-0.7, -0.98, 0.7, 0.25)
    pen.curve((0, -0.5), (0.3, -0.9), (0.7, -0.5), (0.4, 0.0), (0, 0.25), (-0.4, 0.0), (-0.7, -0.5), (-0.3, -0.9),
              fill=LIGHT)  # fmt: skip
    pen.dot(-0.26, -0.4, 0.11, fill=DARK)
    pen.dot(0.26, -0.4, 0.11, fill=DARK)
    pen.polygon((-0.1, -0.25), (0.1, -0.25), (0, 0.05), fill=BEAK)
    for x, y in ((-0.3, 0.45), (0, 0.4), (0.3, 0.45), (-0.15, 0.65), (0.15, 0.65)):
        pen.dot(x, y, 0.06)


def owl_horned(pen: Pen) -> None:
    """Ear tufts and large round eyes."""
    for x in (-0.25, 0.2):
        pen.line((x, 0.8), (x, 0.97), (x + 0.12, 0.97), width=0.1, fill=BEAK)
    pen.curve((-0.75, 0.9), (-0.8, -0.3), (-0.6, -0.6), (0.6, -0.6), (0.8, -0.3), (0.75, 0.9), (0, 1.0))
    pen.polygon((-0.7, -0.3), (-0.85, -1), (-0.3, -0.68), (0, -0.55), (0.3, -0.68), (0.85, -1), (0.7, -0.3), (0, 0.1))
    for x in (-0.3, 0.3):
        pen.ellipse(x - 0.28, -0.5, x + 0.28, 0.06, fill=(250, 210, 70))
        pen.dot(x, -0.22, 0.12, fill=DARK)
    pen.polygon((-0.1, -0.1), (0.1, -0.1), (0, 0.15), fill=BEAK)
    for y in (0.4, 0.65):
        pen.line((-0.35, y), (-0.18, y + 0.12), (0, y), (0.18, y + 0.12), (0.35, y), width=0.06)
