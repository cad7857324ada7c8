"""What shards get of the images of one range, between the step that decides it and the one that writes it.

    OUT/assembling/<build>/<range>.texts     a compressed record for each image, one after the other
    OUT/assembling/<build>/<range>.places    where they lie

So references travel and texts do not: an image is some 30 bytes in a shuffle, however many languages there are. Gone
when the build is complete.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from florenz.images.sidecars import about_from, about_text
from florenz.pipeline.assemble.covering import CoveredImage
from florenz.shards.schema import CAPTION_FIELDS, EXAMPLE_FIELDS, Caption, Example
from florenz.stores import files

FOLDER = "assembling"
_CAPTION_ROW, _EXAMPLE_ROW = attrgetter(*CAPTION_FIELDS), attrgetter(*EXAMPLE_FIELDS)  # `astuple` copies each string


class Place(NamedTuple):
    """Where the texts of an image lie in its range's file. What decides its shard follows from its key (`Rules.drawn`),
    and does not travel: it would be half of what is shuffled.
    """

    key: str
    range: str
    offset: int
    size: int


def working_folder(out: str, build: str) -> str:
    return files.join(out, FOLDER, build, "")


def write_texts(folder: str, its_range: str, images: Iterable[CoveredImage]) -> list[Place]:
    """The images that have an example; where each of them lies."""
    places: list[Place] = []
    offset = 0
    with files.atomic_write(_texts_path(folder, its_range)) as file:
        for image in images:
            if image.examples:
                record = _pack(image)
                file.write(record)
                places.append(Place(image.key, its_range, offset, len(record)))
                offset += len(record)
    with files.atomic_write(_places_path(folder, its_range)) as file:
        file.write(zlib.compress(json.dumps(places).encode(), 1))
    return places


def read_places(folder: str, its_range: str) -> list[Place]:
    return [Place(*place) for place in json.loads(zlib.decompress(files.read_bytes(_places_path(folder, its_range))))]


def read_texts(folder: str, places: Sequence[Place]) -> dict[str, bytes]:
    """Key -> its record, still packed."""
    by_range: dict[str, list[Place]] = {}
    for place in sorted(places, key=lambda place: (place.range, place.offset)):
        by_range.setdefault(place.range, []).append(place)
    found: dict[str, bytes] = {}
    for its_range, there in by_range.items():
        spans = [(place.offset, place.size) for place in there]
        records = files.read_ranges(_texts_path(folder, its_range), spans)
        found |= {place.key: record for place, record in zip(there, records, strict=True)}
    return found


def _pack(image: CoveredImage) -> bytes:
    record = [
        image.key,
        image.source,
        image.damage,
        image.concepts,
        about_text(image.about),
        [_CAPTION_ROW(one) for one in image.captions],
        [_EXAMPLE_ROW(one) for one in image.examples],
        [_EXAMPLE_ROW(one) for one in image.withheld],
    ]
    return zlib.compress(json.dumps(record).encode("utf-8", "surrogatepass"), 1)


def unpack_image(record: bytes) -> CoveredImage:
    """As it was covered; without its rejects and tally, which are in the books already."""
    key, source, damage, concepts, about, captions, examples, withheld = json.loads(
        zlib.decompress(record).decode("utf-8", "surrogatepass")
    )
    return CoveredImage(
        key=key,
        source=source,
        damage=damage,
        concepts=concepts,
        about=about_from(about),
        captions=tuple(Caption(**_fields(CAPTION_FIELDS, row)) for row in captions),
        examples=tuple(Example(**_fields(EXAMPLE_FIELDS, row)) for row in examples),
        withheld=tuple(Example(**_fields(EXAMPLE_FIELDS, row)) for row in withheld),
    )


def _fields(names: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    return dict(zip(names, row, strict=True))


def _texts_path(folder: str, its_range: str) -> str:
    return files.join(folder, f"{its_range}.texts")


def _places_path(folder: str, its_range: str) -> str:
    return files.join(folder, f"{its_range}.places")
