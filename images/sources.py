"""Where images come from: folders, tars and Parquet, read as references (`references.py`), and from there to bytes.

Three kinds of files, one module each: `folders.py`, `tars.py`, `parquet.py`.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from florenz.images.bad_image import BadImage
from florenz.images.folders import SourceFile, list_sources, read_file
from florenz.images.parquet import cell_bytes, read_parquet
from florenz.images.parquet_about import cell_about
from florenz.images.references import Cell, ImageRef, Member, Reject, parse_uri, uri_of
from florenz.images.sidecars import NOTHING, About, parse_sidecar
from florenz.images.source_files import check_bytes, file_faults, open_file, read_piece
from florenz.images.tars import read_tar
from florenz.limits.table import Limits

DEFAULTS = Limits()


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that has been read once: its key (see `key_of`) and where its bytes are."""

    key: str
    ref: ImageRef


def read_refs(source: str, *, max_images: int | None = None, limits: Limits = DEFAULTS) -> Iterator[ImageRef | Reject]:
    """All of a source in sorted order, a tar's members and a Parquet file's rows as they stand; the first N images."""
    num_images = 0
    for file in list_sources(source, limits):
        for found in read_source(file, limits):
            if isinstance(found, ImageRef):
                num_images += 1
                if max_images is not None and num_images > max_images:
                    return
            yield found


def read_source(file: SourceFile, limits: Limits = DEFAULTS) -> Iterator[ImageRef | Reject]:
    """The images of one file as references, and a Reject for what is none. Reads headers, and no image.

    So a reference can still turn out empty, null or no image: reading or decoding it raises BadImage.
    A file that breaks in the middle gives what stands before the break, and then one Reject `unreadable_source`.
    """
    read = {"file": read_file, "tar": read_tar, "parquet": read_parquet}[file.kind]
    try:
        for found in read(file.path, limits):
            if file.sidecar and isinstance(found, ImageRef):
                found = replace(found, sidecar=uri_of(file.sidecar))
            yield found
    except BadImage as bad:
        yield Reject(uri=uri_of(file.path), reason=bad.reason, detail=bad.detail)


def read_image_bytes(ref: ImageRef, *, max_bytes: int, limits: Limits = DEFAULTS) -> bytes:
    """The original bytes. BadImage: too_many_bytes (unread), empty_file, null_cell, unreadable_file, _source."""
    path, inner = parse_uri(ref.uri)
    if isinstance(inner, Cell):
        data = cell_bytes(path, inner, max_bytes, limits)
    else:
        size, data = _member_bytes(path, inner, max_bytes) if inner else _file_bytes(path, max_bytes)
        if len(data) != size:
            raise BadImage("unreadable_file", f"{len(data)} of {size} bytes left: it has changed since it was listed")
    if not data:
        raise BadImage("empty_file")
    return data


def _member_bytes(path: str, member: Member, max_bytes: int) -> tuple[int, bytes]:
    """How many there should be, and those that are there."""
    check_bytes(member.size, max_bytes)
    with file_faults():
        return member.size, read_piece(path, member.offset, member.size)


def _file_bytes(path: str, max_bytes: int) -> tuple[int, bytes]:
    with file_faults(), open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        check_bytes(size, max_bytes)
        file.seek(0)
        return size, file.read(size)


def read_about(ref: ImageRef, limits: Limits = DEFAULTS) -> About:
    """What stands beside an image about it; nothing without that, or where it is too large or can't be read."""
    path, inner = parse_uri(ref.uri)
    try:
        if isinstance(inner, Cell):
            return cell_about(path, inner, limits)
        if not ref.sidecar:
            return NOTHING
        sidecar = ImageRef(uri=ref.sidecar)
        return parse_sidecar(read_image_bytes(sidecar, max_bytes=limits.sidecar_bytes, limits=limits))
    except BadImage:
        return NOTHING


def read_image(ref: ImageRef, *, max_bytes: int, limits: Limits = DEFAULTS) -> Image:
    """Hash the bytes and let go of them. Raises BadImage like `read_image_bytes`."""
    return Image(key=key_of(read_image_bytes(ref, max_bytes=max_bytes, limits=limits)), ref=ref)


def key_of(data: bytes) -> str:
    """First 32 hex digits of the SHA-256 of the original bytes: the same picture has the same key everywhere."""
    return hashlib.sha256(data).hexdigest()[:32]
