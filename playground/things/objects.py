"""Things that are carried or put somewhere. Unit coordinates: x to the right, y down, from -1 to 1."""

from __future__ import annotations

import math

from florenz.playground.things.pen import BROWN, DARK, GREY, LIGHT, Pen


def cup(pen: Pen) -> None:
    pen.arc(0.1, -0.3, 0.92, 0.5, -90, 90, width=0.15)
    pen.polygon((-0.85, -0.55), (0.5, -0.55), (0.4, 0.75), (0.2, 0.9), (-0.55, 0.9), (-0.75, 0.75))
    pen.ellipse(-0.85, -0.75, 0.5, -0.4, fill=(90, 60, 45))


def chair(pen: Pen) -> None:
    pen.box(-0.6, -1, -0.38, 0.1)
    pen.box(-0.6, 0.0, 0.65, 0.25)
    pen.box(-0.6, 0.25, -0.4, 1)
    pen.box(0.45, 0.25, 0.65, 1)


def key(pen: Pen) -> None:
    pen.box(-0.2, -0.13, 1, 0.13)
    pen.box(0.45, 0.1, 0.62, 0.5)
    pen.box(0.8, 0.1, 0.97, 0.5)
    pen.ellipse(-1, -0.5, 0, 0.5)
    pen.ellipse(-0.72, -0.22, -0.28, 0.22, fill=LIGHT)


def book(pen: Pen) -> None:
    """Closed: the cover with its spine, the pages below."""
    pen.box(-0.6, -0.9, 0.75, 0.95, fill=LIGHT)
    pen.box(-0.7, -0.95, 0.65, 0.8)
    pen.line((-0.45, -0.95), (-0.45, 0.8), width=0.1)
    pen.box(-0.2, -0.65, 0.45, -0.25, fill=LIGHT)
    pen.line((-0.1, -0.45), (0.35, -0.45), width=0.06, fill=DARK)


def bat_sport(pen: Pen) -> None:
    """A baseball bat with its ball."""
    pen.curve((-0.12, 0.85), (-0.1, 0.1), (-0.33, -0.6), (-0.25, -1.1), (0.25, -1.1), (0.33, -0.6), (0.1, 0.1),
              (0.12, 0.85))  # fmt: skip
    pen.box(-0.2, 0.82, 0.2, 0.97)
    pen.line((-0.1, 0.6), (0.1, 0.5), width=0.06)
    pen.line((-0.1, 0.4), (0.1, 0.3), width=0.06)
    pen.ellipse(0.4, 0.5, 0.86, 0.96, fill=LIGHT)
    pen.line((0.5, 0.6), (0.62, 0.73), (0.5, 0.86), width=0.05, fill=(200, 40, 40))


def bow_ribbon(pen: Pen) -> None:
    pen.polygon((0, 0.05), (-0.5, 0.9), (-0.1, 0.75))
    pen.polygon((0, 0.05), (0.5, 0.9), (0.1, 0.75))
    pen.polygon((0, 0), (-0.95, -0.6), (-0.95, 0.45))
    pen.polygon((0, 0), (0.95, -0.6), (0.95, 0.45))
    pen.ellipse(-0.22, -0.25, 0.22, 0.22)


def bow_weapon(pen: Pen) -> None:
    """Drawn, with an arrow on the string."""
    pen.line((-0.25, -0.95), (-0.6, 0), (-0.25, 0.95), width=0.05)
    pen.arc(-0.95, -0.95, 0.45, 0.95, -90, 90, width=0.18)
    pen.line((-0.75, 0), (0.8, 0), width=0.08, fill=BROWN)
    pen.polygon((0.65, -0.18), (1, 0), (0.65, 0.18), fill=GREY)
    pen.polygon((-0.95, -0.15), (-0.65, 0), (-0.95, 0.15), fill=LIGHT)


def nut_metal(pen: Pen) -> None:
    pen.polygon(*[(0.95 * math.cos(math.pi * s / 3), 0.95 * math.sin(math.pi * s / 3)) for s in range(6)])
    pen.ellipse(-0.42, -0.42, 0.42, 0.42, fill=(90, 90, 95))
    pen.ellipse(-0.28, -0.28, 0.28, 0.28, fill=(225, 225, 225))


def letter_mail(pen: Pen) -> None:
    """A sealed envelope with a stamp's worth of red on it."""
    pen.box(-0.95, -0.6, 0.95, 0.65)
    pen.line((-0.95, 0.65), (-0.2, 0.0), width=0.06)
    pen.line((0.95, 0.65), (0.2, 0.0), width=0.06)
    pen.polygon((-0.95, -0.6), (0.95, -0.6), (0, 0.2))
    pen.dot(0, 0.12, 0.17, fill=(190, 40, 50))


def letter_sign(pen: Pen) -> None:
    """A capital A."""
    pen.polygon((-0.2, -0.95), (0.2, -0.95), (0.85, 0.95), (0.45, 0.95), (0.3, 0.5), (-0.3, 0.5), (-0.45, 0.95),
                (-0.85, 0.95))  # fmt: skip
    pen.polygon((0, -0.55), (0.2, 0.2), (-0.2, 0.2), fill=LIGHT)


def fan_hand(pen: Pen) -> None:
    """A folding fan, spread: pleated leaf, and ribs that meet at the pivot."""
    angles = [math.radians(200 + 20 * step) for step in range(8)]
    outer = [(math.cos(angle), 0.65 + 1.4 * math.sin(angle)) for angle in angles]
    inner = [(0.45 * math.cos(angle), 0.65 + 0.6 * math.sin(angle)) for angle in reversed(angles)]
    for x, y in inner[::2]:
        pen.line((0, 0.8), (x, y), width=0.08, fill=BROWN)
    pen.polygon(*outer, *inner)
    for (ax, ay), (bx, by) in zip(outer[1:-1], list(reversed(inner))[1:-1], strict=True):
        pen.line((ax, ay), (bx, by), width=0.05)
    pen.dot(0, 0.82, 0.11)


def umbrella_rain(pen: Pen) -> None:
    """With a crook for a handle."""
    pen.line((0, -0.3), (0, 0.75), (-0.1, 0.9), (-0.25, 0.9), (-0.32, 0.7), width=0.12, fill=BROWN)
    points = [(math.cos(a), -0.05 + 0.85 * math.sin(a)) for a in (math.pi + math.pi * s / 10 for s in range(11))]
    pen.polygon(*points, (0.66, -0.15), (0.33, 0.08), (0, -0.15), (-0.33, 0.08), (-0.66, -0.15))
    pen.line((0, -0.9), (0, -0.2), width=0.06)


def umbrella_sun(pen: Pen) -> None:
    """White stripes, a straight pole, a heavy foot."""
    pen.line((0, -0.8), (0, 0.9), width=0.13, fill=BROWN)
    pen.box(-0.45, 0.8, 0.45, 0.97, fill=GREY)
    pen.polygon((-1, -0.2), (-0.5, -0.8), (0, -0.98), (0.5, -0.8), (1, -0.2))
    pen.polygon((-0.6, -0.2), (-0.3, -0.87), (0, -0.98), (-0.2, -0.2), fill=LIGHT)
    pen.polygon((0.6, -0.2), (0.3, -0.87), (0, -0.98), (0.2, -0.2), fill=LIGHT)
