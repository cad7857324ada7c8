"""What is in a file of a source: references, and for each image its key, its proof and what its sidecar says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice

from florenz.images import sources as images
from florenz.images.decoding import BadImage
from florenz.images.likeness import likeness_of
from florenz.images.proof import prove
from florenz.images.references import parse_uri, uri_of
from florenz.images.sidecars import about_text
from florenz.images.size import size_of
from florenz.images.sources import ImageRef, SourceFile
from florenz.limits.table import Limits
from florenz.pipeline.known_sources import LIKENESS, SIZE, Row, silent
from florenz.pipeline.packing import pack, unpack
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.ranges import range_of
from florenz.stores import files

READS_IN_FLIGHT = 16  # in an object store each image is a request
MAX_BATCH = 64
Listed = tuple[str, str, str, str]  # URI; reason and detail of what is no image; the URI of an image's sidecar
Batch = tuple[str, str, bytes]  # path and stamp of a file, and packed `Listed` of what is in it


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


def references(source: SourceFile | str, count: int | None, limits: Limits) -> Iterator[Batch]:
    """What is in a file, or in all of a source, in batches: a huge tar is hashed by many."""
    if isinstance(source, str):
        everything = images.read_refs(source, max_images=count, limits=limits)
        for path, found in groupby(map(_listed, everything), key=lambda listed: listed[0].partition("?")[0]):
            yield from ((path, "", pack(batch)) for batch in _batches(found))
        return
    path, in_it = uri_of(source.path), map(_listed, images.read_source(source, limits))
    is_empty = True
    for batch in _batches(in_it):
        is_empty = False
        yield path, source.stamp, pack(batch)
    if is_empty:
        yield path, source.stamp, pack([("", "", "", "")])  # so that it is known to hold nothing


def _batches(listed: Iterator[Listed]) -> Iterator[list[Listed]]:
    while batch := list(islice(listed, MAX_BATCH)):
        yield batch


def _listed(found: ImageRef | images.Reject) -> Listed:
    if isinstance(found, images.Reject):
        return found.uri, found.reason, found.detail, ""
    return found.uri, "", "", found.sidecar


def rows_of(
    batches: Sequence[Batch],
    known: Mapping[str, str],
    removed: Collection[str],
    max_bytes: int,
    limits: Limits,
    digits: int,
    progress: ProgressAddress,
    measure: Measure,
) -> list[tuple[str, Row]]:
    """Each as a row of FOUND under its group; a removed image is passed over in silence.

    Requests to an object store are under way together, reads from a disk are not. measure: what to
    find out about images.
    """
    listed = [(path, stamp, one) for path, stamp, packed in batches for one in unpack([packed])]
    look = partial(_row, known=known, removed=removed, max_bytes=max_bytes, limits=limits, measure=measure)
    if any(files.local_path(parse_uri(path)[0]) is None for path, _, _ in listed) and len(listed) > 1:
        with ThreadPoolExecutor(READS_IN_FLIGHT) as pool:
            rows = list(pool.map(look, listed))
    else:
        rows = [look(found) for found in listed]
    num_found = sum(bool(uri) for _, _, (uri, *_) in listed)
    advance(progress, "read", num_found)
    count("read", num_found)
    return [(range_of(row[0], digits), row) for row in rows]


def _row(
    listed: tuple[str, str, Listed],
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
