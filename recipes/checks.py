"""The checks that several recipes make, in the same words: each gives one line for each value that is wrong.

A value of None is one that was left out, and is right. A keyword is the label that the user reads, so a Make variable
may stand beside the key: `below_1(**{"workers (WORKERS)": workers})`.
"""

import re
from collections.abc import Collection, Iterable

from florenz.recipes.sections import nearest

DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def raise_if(problems: Iterable[str]) -> None:
    """`ValueError` with all of them, a line each; nothing happens when there are none."""
    if lines := "\n".join(problems):
        raise ValueError(lines)


def below_1(**values: int | None) -> list[str]:
    return [
        f"{label} is {value}: choose at least 1" for label, value in values.items() if value is not None and value < 1
    ]


def below_0(**values: float | None) -> list[str]:
    return [
        f"{label} is {value}: choose 0 or more" for label, value in values.items() if value is not None and value < 0
    ]


def not_above_0(**values: float | None) -> list[str]:
    return [
        f"{label} is {value}: choose more than 0" for label, value in values.items() if value is not None and value <= 0
    ]


def no_share(**values: float | None) -> list[str]:
    """Shares lie above 0 and go up to 1."""
    return [
        f"{label} is {value}: choose more than 0 and at most 1"
        for label, value in values.items()
        if value is not None and not 0 < value <= 1
    ]


def blank(label: str, text: str, advice: str) -> list[str]:
    return [] if text.strip() else [f"{label} is empty: {advice}"]


def not_among(label: str, word: str | None, known: Collection[str]) -> list[str]:
    """A word of a closed list; `known` is told as a whole, so it should be short."""
    if word is None or word in known:
        return []
    *others, last = known
    return [f"{label} is '{word}': choose {' or '.join([', '.join(others), last]) if others else last}"]


def unknown(label: str, words: Iterable[str], known: Collection[str]) -> list[str]:
    """Words of a long list: each gets its nearest neighbour, or the list if none is near."""
    return [f"{label} has '{word}': {nearest(word, known)}" for word in words if word not in known]


def no_device(label: str, device: str) -> list[str]:
    if DEVICE.fullmatch(device):
        return []
    return [f"{label} is '{device}': choose auto, cpu, cuda or cuda:1"]
