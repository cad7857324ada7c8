"""What is in a file of a source: references, and for each image its key, its proof and what its sidecar says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from florenz.images import sources as images
from florenz.images.decoding import BadImage
from florenz.images.likeness import likeness_of
from florenz.images.proof import prove
from florenz.images.references import parse_uri, uri_of
from florenz.images.sidecars import about_text
from florenz.images.size import size_of
from florenz.images.sources import ImageRef
from florenz.limits.table import Limits
from florenz.pipeline.known_sources import LIKENESS, SIZE, Row, silent
from florenz.pipeline.listing import Listing, unpacked_files
from florenz.pipeline.packing import pack, unpack
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.ranges import range_of
from florenz.stores.together import together

MAX_BATCH = 64
Listed = tuple[str, str, str, str]  # URI; reason and detail of what is no image; the URI of an image's sidecar
FoundIn = tuple[str, str, Listed]  # path and stamp of a file, and one of what is in it


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a recipe wants to know of each image: of `known_sources.LATER`. max_pixels, max_side_ratio: of decoding."""

    needed: tuple[str, ...]
    max_pixels: int
    max_side_ratio: float

    def of(self, data: bytes) -> tuple[str, str]:
        """Size and likeness, "" for what nobody wants to know."""
        size = size_of(data) if SIZE in self.needed else ""
        if LIKENESS not in self.needed:
            return size, ""
        return size, likeness_of(data, max_pixels=self.max_pixels, max_side_ratio=self.max_side_ratio)


def references(sources: bytes | str, count: int | None, limits: Limits) -> Iterator[bytes]:
    """What is in some files (`packed_files`), or in all of a source, in packs of `FoundIn`: a huge tar is hashed by
    many.
    """
    found = _in_files(sources, limits) if isinstance(sources, bytes) else _first_in(sources, count, limits)
    while batch := list(islice(found, MAX_BATCH)):
        yield pack(batch)


def _in_files(packed: bytes, limits: Limits) -> Iterator[FoundIn]:
    for source in unpacked_files(packed):
        path, is_empty = uri_of(source.path), True
        for found in images.read_source(source, limits):
            is_empty = False
            yield path, source.stamp, _listed(found)
        if is_empty:
            yield path, source.stamp, ("", "", "", "")  # so that it is known to hold nothing


def _first_in(source: str, count: int | None, limits: Limits) -> Iterator[FoundIn]:
    """All of a source in sorted order, a tar's members and a Parquet file's rows as they stand; the first N images."""
    num_images = 0
    with Listing(source, limits) as listing:
        for file in listing.in_order():
            path = uri_of(file.path)
            for found in images.read_source(file, limits):
                if isinstance(found, ImageRef):
                    num_images += 1
                    if count is not None and num_images > count:
                        return
                yield path, "", _listed(found)


def _listed(found: ImageRef | images.Reject) -> Listed:
    if isinstance(found, images.Reject):
        return found.uri, found.reason, found.detail, ""
    return found.uri, "", "", found.sidecar


def rows_of(
    batches: Sequence[bytes],
    known: Mapping[str, str],
    removed: Collection[str],
    max_bytes: int,
    limits: Limits,
    digits: int,
    progress: ProgressAddress,
    measure: Measure,
    waiting: str,
) -> list[tuple[str, Row]]:
    """Each as a row of FOUND under its group; a removed image is passed over in silence.

    Requests to an object store are under way together, reads from a disk are not. measure: what to
    find out about images. waiting: where packs wait.
    """
    listed: list[FoundIn] = list(unpack(batches, waiting))
    look = partial(_row, known=known, removed=removed, max_bytes=max_bytes, limits=limits, measure=measure)
    rows = list(together(look, listed, [parse_uri(path)[0] for path, _, _ in listed]))
    num_found = sum(bool(uri) for _, _, (uri, *_) in listed)
    advance(progress, "read", num_found)
    count("read", num_found)
    return [(range_of(row[0], digits), row) for row in rows]


def _row(
    listed: FoundIn,
    known: Mapping[str, str],
    removed: Collection[str],
    max_bytes: int,
    limits: Limits,
    measure: Measure,
) -> Row:
    """As FOUND. An image has a key and no reason; its detail is what is wrong with its bytes."""
    path, stamp, (uri, reason, detail, sidecar) = listed
    if reason or not uri:
        return path, stamp, uri, "", reason, detail, "", "", ""
    try:
        data = images.read_image_bytes(ImageRef(uri=uri), max_bytes=max_bytes, limits=limits)
    except BadImage as bad:
        return path, stamp, uri, "", bad.reason, bad.detail, "", "", ""
    key = images.key_of(data)
    if key in removed:
        return silent(path, stamp)
    about = about_text(images.read_about(ImageRef(uri=uri, sidecar=sidecar), limits))
    damage = known[key] if key in known else prove(data).damage
    return path, stamp, uri, key, "", damage, about, *measure.of(data)
