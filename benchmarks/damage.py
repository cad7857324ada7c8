"""How much damage to JPEGs is found, and how many sound ones are called so: `python -m benchmarks.damage [FOLDER ...]`.

2,000 damaged ones, 500 of each kind: 2,000 bytes of the scan zeroed or dropped, 32 bits of it flipped, the file cut in
it; smaller damage is told below, without a goal. 5,000 sound ones, as encoders and telephones write them. FOLDER: JPEGs
to take besides the drawn ones, such as photographs.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile.damaged_jpegs import damaged, photo_like
from florenz.images.opening import PILLOW_ERRORS
from florenz.images.proof import prove
from florenz.playground.world import draw_world

GOALS = {"zeroed": 0.99, "dropped": 0.99, "flipped": 0.88, "cut": 1.0}
USUAL = {"zeroed": 2000, "dropped": 2000, "flipped": 32, "cut": 0}
SMALLER = (("zeroed", 200), ("zeroed", 16), ("dropped", 200), ("dropped", 16), ("flipped", 8), ("flipped", 1))
NUM_OF_EACH, NUM_SMALLER, NUM_SOUND, NUM_DRAWN = 500, 200, 5000, 40
VISIBLE_LEVELS, VISIBLE_SHARE = 8, 0.001  # of 255, in more than one pixel of a thousand


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def is_visible(jpeg: bytes, wrong: bytes) -> bool:
    """Whether anybody could see it, where Pillow shows something at all."""
    try:
        before, after = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB"), dtype=int) for one in (jpeg, wrong))
    except PILLOW_ERRORS:
        return False  # refused when it is decoded: it reaches nobody
    return (
        before.shape != after.shape or float((abs(before - after).max(axis=2) > VISIBLE_LEVELS).mean()) > VISIBLE_SHARE
    )


def found_of(sound: list[bytes], kind: str, size: int, number: int, rng: random.Random) -> tuple[int, int]:
    """(found, missed and visible) of so many."""
    found = visible = 0
    for place in range(number):
        jpeg = sound[place % len(sound)]
        wrong = damaged(jpeg, kind, rng, size)
        if prove(wrong).damage:
            found += 1
        elif is_visible(jpeg, wrong):
            visible += 1
    return found, visible


Change = Callable[[bytes], bytes]


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]


ENCODINGS: tuple[dict[str, object], ...] = (
    {"quality": 5}, {"quality": 30}, {"quality": 50}, {"quality": 75}, {"quality": 85}, {"quality": 95},
    {"quality": 100, "subsampling": 0}, {"subsampling": 0}, {"subsampling": 1}, {"optimize": True},
    {"progressive": True}, {"progressive": True, "quality": 95, "subsampling": 0}, {"restart_marker_rows": 1},
    {"restart_marker_blocks": 7}, {"progressive": True, "restart_marker_rows": 4},
)  # fmt: skip
AROUND: tuple[Change, ...] = (
    lambda jpeg: jpeg,
    lambda jpeg: jpeg + b"\0\0\0\x18ftypmp42" + bytes(4000),  # a motion photo
    lambda jpeg: with_segment(jpeg, 0xE2, b"MPF\0MM\0*" + bytes(80)) + jpeg,  # a second picture
    lambda jpeg: with_segment(jpeg, 0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + jpeg[:9000]),  # a thumbnail
    lambda jpeg: with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
    lambda jpeg: jpeg[:-2] + b"\0" + jpeg[-2:],
    lambda jpeg: with_segment(jpeg, 0xFE, b"\xff\xd9"),
)


def sound_ones(originals: list[bytes], number: int, rng: random.Random) -> Iterator[bytes]:
    """The originals as they are; then each of all, in every encoding, mode and size, with what stands around it."""
    yield from originals[:number]
    for place in range(number - len(originals)):
        picture = Image.open(io.BytesIO(originals[place % len(originals)]))
        mode = ("RGB", "RGB", "RGB", "L", "CMYK")[rng.randrange(5)]
        width, height = (max(8, side * rng.randrange(20, 101) // 100) for side in picture.size)
        jpeg = encoded(picture.convert(mode).resize((width, height)), **ENCODINGS[rng.randrange(len(ENCODINGS))])
        yield AROUND[rng.randrange(len(AROUND))](jpeg)


def main(folders: list[str]) -> int:
    rng = random.Random(16)
    photographs = [path.read_bytes() for folder in folders for path in sorted(Path(folder).glob("*.jpg"))]
    with tempfile.TemporaryDirectory() as folder:
        draw_world(folder, count=NUM_DRAWN, seed=16)
        scenes = [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]
    originals = [*photographs, *scenes, *(photo_like(random.Random(number)) for number in range(NUM_DRAWN))]
    print(f"{len(photographs)} photographs, {len(originals) - len(photographs)} drawn")
    is_good = True
    for kind, goal in GOALS.items():
        found, visible = found_of(originals, kind, USUAL[kind], NUM_OF_EACH, rng)
        is_good &= found >= goal * NUM_OF_EACH
        missed = f"{NUM_OF_EACH - found} missed, {visible} of them visible"
        print(f"{kind:<8} {USUAL[kind]:>5}: {found} of {NUM_OF_EACH} found (goal {goal:.0%}), {missed}", flush=True)
    for kind, size in SMALLER:
        found, visible = found_of(originals, kind, size, NUM_SMALLER, rng)
        print(f"{kind:<8} {size:>5}: {found} of {NUM_SMALLER} found, {NUM_SMALLER - found} missed, {visible} visible")
    wrong, seconds, num_bytes = Counter[str](), 0.0, 0
    for jpeg in sound_ones(originals, NUM_SOUND, rng):
        started = time.perf_counter()
        wrong[prove(jpeg).damage] += 1
        seconds, num_bytes = seconds + time.perf_counter() - started, num_bytes + len(jpeg)
    num_wrong = wrong.total() - wrong[""]
    print(f"sound: {num_wrong} of {wrong.total()} called damaged {[one for one in wrong if one][:3] or ''}")
    print(f"a proof: {seconds / NUM_SOUND * 1e3:.1f} ms for {num_bytes / NUM_SOUND / 1e3:.0f} KB on average")
    is_good &= not num_wrong
    print(f"bench-damage: {'all' if is_good else 'not all'} found, {num_wrong} of {NUM_SOUND} wrongly (goal all, 0)")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
