"""Vehicles, machines and buildings. Unit coordinates: x to the right, y down, from -1 to 1."""

from __future__ import annotations

from florenz.playground.things.pen import BROWN, DARK, GLASS, GREY, LIGHT, Pen, ring


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


def crane_machine(pen: Pen) -> None:
    """A tower crane: lattice mast, long jib with a hook, short counter-jib with its weight."""
    pen.box(-0.75, 0.82, 0.05, 0.97, fill=GREY)
    pen.polygon((-0.5, 0.82), (-0.5, -0.6), (-0.2, -0.6), (-0.2, 0.82))
    for y in (-0.5, -0.2, 0.1, 0.4):
        pen.line((-0.48, y), (-0.22, y + 0.3), width=0.05)
    pen.line((-0.35, -0.98), (0.9, -0.6), width=0.05)
    pen.line((-0.35, -0.98), (-0.9, -0.6), width=0.05)
    pen.polygon((-0.45, -0.55), (-0.38, -1), (-0.32, -1), (-0.25, -0.55))
    pen.box(-0.95, -0.65, 1, -0.45)
    pen.box(-0.95, -0.45, -0.68, -0.1, fill=GREY)
    pen.line((0.75, -0.45), (0.75, 0.2), width=0.06)
    pen.line((0.75, 0.15), (0.9, 0.3), (0.75, 0.45), (0.6, 0.32), width=0.09)


def house(pen: Pen) -> None:
    pen.box(-0.75, -0.15, 0.75, 0.9)
    pen.polygon((-1, -0.1), (0, -0.95), (1, -0.1), fill=(130, 70, 60))
    pen.box(-0.2, 0.3, 0.2, 0.9, fill=BROWN)
    pen.box(-0.6, 0.1, -0.3, 0.4, fill=GLASS)
    pen.box(0.3, 0.1, 0.6, 0.4, fill=GLASS)


def fan_electric(pen: Pen) -> None:
    pen.box(-0.55, 0.8, 0.55, 0.97)
    pen.box(-0.1, 0.4, 0.1, 0.85)
    pen.ellipse(-0.75, -0.98, 0.75, 0.52, fill=GLASS)
    for x, y in ring(0, -0.23, 0.38, 3, start=-90):
        pen.ellipse(x - 0.27, y - 0.27, x + 0.27, y + 0.27)
    pen.dot(0, -0.23, 0.14)


def mouse_computer(pen: Pen) -> None:
    pen.line((0, -0.5), (0.05, -0.75), (-0.3, -0.82), (-0.38, -1), width=0.09)
    pen.curve((-0.58, 0.0), (-0.55, -0.65), (0, -0.7), (0.55, -0.65), (0.58, 0.0), (0.55, 0.9), (0, 1.1), (-0.55, 0.9))
    pen.line((0, -0.6), (0, 0.1), width=0.07)
    pen.line((-0.55, 0.1), (0.55, 0.1), width=0.07)
    pen.box(-0.11, -0.42, 0.11, -0.1, fill=GREY)
