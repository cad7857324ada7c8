"""Pictures that are damaged, that have the form of a ruler, or are sound and can't be read."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.hostile.damaged_jpegs import damaged
from benchmarks.hostile.place import Done, Place, case, fault, reasons


@case
def damaged_jpegs(place: Place) -> Iterator[tuple[Done, str]]:
    rng = random.Random(3)
    whole = next(iter(sorted(place.images.glob("*.jpg"))))
    names = [f"{kind}-{number}.jpg" for kind in ("zeroed", "dropped", "cut") for number in range(3)]
    for name in names:
        (place.images / name).write_bytes(damaged(whole.read_bytes(), name.partition("-")[0], rng, 2000))
    done = place.run()
    wrong = reasons(done, *((name, "damaged_image") for name in names))
    yield done, wrong or kept_bytes(done, whole.name, whole.read_bytes())
    done = place.run("REPLACE=1", image_keys='on_damage = "reencode"')
    written = {Path(source).name: jpeg for source, jpeg in done.pictures().items()} if not done.code else {}
    as_they_were = [name for name in names if written.get(name) == (place.images / name).read_bytes()]
    wrong = f"{as_they_were} went through as they were" if as_they_were else ""
    yield done, fault(done, 0) or wrong or ("" if set(written) & set(names) else "none of them was written anew")


def kept_bytes(done: Done, name: str, data: bytes) -> str:
    found = {Path(source).name: jpeg for source, jpeg in done.pictures().items()}
    return "" if found.get(name) == data else f"{name} did not go through as it was"


@case
def pictures_like_rulers(place: Place) -> Iterator[tuple[Done, str]]:
    for name, size in (("a.png", (1, 4096)), ("b.png", (8, 4096)), ("c.png", (65_000, 10))):
        Image.new("RGB", size, (200, 10, 10)).save(place.images / name)
    done = place.run()
    yield done, reasons(done, ("a.png", "too_small"), ("b.png", "too_narrow"), ("c.png", "too_narrow"))


@case
def sound_but_unsupported(place: Place) -> Iterator[tuple[Done, str]]:
    pixels = bytes(32 * 16 * 4)
    head = struct.pack("<IiiHHIIiiII", 40, 32, 16, 1, 0, 4, len(pixels), 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels
    tags = [(256, 32), (257, 16), (258, 8), (259, 50001), (262, 1), (273, 8), (277, 1), (278, 16), (279, 512)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tiff = b"II*\0" + struct.pack("<I", 8 + 512) + bytes(512) + directory + bytes(4)
    (place.images / "sound.bmp").write_bytes(bmp)
    (place.images / "sound.tif").write_bytes(tiff)
    done = place.run()
    yield done, reasons(done, ("sound.bmp", "unsupported_format"), ("sound.tif", "unsupported_format"))
