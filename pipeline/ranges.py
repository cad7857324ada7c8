"""Ranges of keys: what a worker holds at once. A range is the hex digits that its keys begin with, "3f" or "".

Keys are hashes, so ranges are of equal size, and every table that belongs to images is kept by range: the index, the
answers, rejects, texts. Joining them is reading the same range of each, and no image is ever shuffled for it. The
number of digits grows with the number of images; parts that were written with fewer, or more, digits are still found.
"""

from __future__ import annotations

import hashlib
from itertools import product

MAX_IMAGES = 4096
"""Of a range: with all texts some 20 MB. A million images are 256 ranges, 100 million 65,536."""
HEX = "0123456789abcdef"


def digits_for(num_images: int) -> int:
    """Of the ranges of so many images: at least one, so that several workers have something to do."""
    digits = 1
    while num_images > MAX_IMAGES * 16**digits:
        digits += 1
    return digits


def ranges_of(digits: int) -> list[str]:
    """All of them, in the order of keys."""
    return ["".join(chosen) for chosen in product(HEX, repeat=digits)]


def range_of(name: str, digits: int) -> str:
    """Of a key; of anything else by its hash."""
    is_key = len(name) == 32 and not name.strip(HEX)
    return (name if is_key else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())[:digits]


def overlap(one: str, other: str) -> bool:
    """Whether a key can lie in both."""
    return one.startswith(other) or other.startswith(one)
