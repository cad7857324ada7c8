"""Several datasets as one sequence of micro-batches: which of them a micro-batch comes from, by weight.

A pure function of its number, so that any rank and worker knows it, and a training that goes on meets the same one: no
dataset is ever more than one micro-batch beside its share (a line drawn in whole steps, once for each dataset against
all behind it). Fractions, not floats: the millionth turn is as exact as the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def turn_of(weights: Sequence[Fraction], number: int) -> tuple[int, int]:
    """(dataset, which of its own micro-batches) for a micro-batch of all. weights: above 0, in any unit."""
    left = sum(weights, Fraction(0))
    for dataset, weight in enumerate(weights[:-1]):
        before, after = (int(turns * weight / left) for turns in (number, number + 1))
        if after > before:
            return dataset, before
        number -= before
        left -= weight
    return len(weights) - 1, number


def exactly(weights: Sequence[float]) -> tuple[Fraction, ...]:
    """As they are written: 0.1 is a tenth."""
    return tuple(Fraction(str(weight)) for weight in weights)
