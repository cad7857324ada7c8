"""Tars as sources of images: the offset in a reference makes each member one seek away.

The price is that compressed tars can't be read.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

from florenz.images.bad_image import BadImage
from florenz.images.folders import COMPANION_SUFFIXES, IMAGE_SUFFIXES, SIDECAR_SUFFIX, is_hidden
from florenz.images.formats import SIGNATURE_BYTES, sniff
from florenz.images.references import ImageRef, Member, Reject, shown, uri_of
from florenz.images.source_files import file_faults, open_file
from florenz.images.tar_members import tar_members
from florenz.limits.errors import advice, excess
from florenz.limits.table import Limits

SHOWN_NAME_CHARS = 64  # of a name that is too long


def read_tar(path: str, limits: Limits = Limits()) -> Iterator[ImageRef | Reject]:  # noqa: B008 - frozen
    """The images among the members, each with the sidecar that stands next to it in the tar, before or behind it.

    Raises BadImage where the tar breaks, behind what stands before the break.
    """
    name, sidecar, waiting = "", "", list[ImageRef]()  # neighbours of one name: their sidecar may come behind them
    try:
        for stem, found in _members(path, limits):
            if stem != name:
                yield from (replace(ref, sidecar=sidecar) for ref in waiting)
                name, sidecar, waiting = stem, "", []
            if isinstance(found, ImageRef):
                waiting.append(found)
            elif isinstance(found, Member):
                sidecar = uri_of(path, found)
            else:
                yield found
    except BadImage:
        yield from (replace(ref, sidecar=sidecar) for ref in waiting)
        raise
    yield from (replace(ref, sidecar=sidecar) for ref in waiting)


def _members(path: str, limits: Limits) -> Iterator[tuple[str, ImageRef | Reject | Member]]:
    """(name without its extension, what it is) of the members that say something; a Member is a sidecar."""
    with file_faults(), open_file(path) as file:
        for info, offset in tar_members(file, limits.tar_header_bytes):
            num_bytes = len(info.name.encode("utf-8", "surrogateescape"))
            if num_bytes > limits.name_bytes:
                member = Member(name=info.name[:SHOWN_NAME_CHARS], offset=offset, size=info.size)
                detail = f"its name has {excess(num_bytes, limits.name_bytes, 'bytes')}{advice('[limits] name_bytes')}"
                yield "", Reject(uri=uri_of(path, member), reason="name_too_long", detail=detail)
                continue
            member = Member(name=info.name, offset=offset, size=info.size)
            stem, suffix = os.path.splitext(info.name)
            suffix = suffix.lower()
            if suffix == SIDECAR_SUFFIX and info.isreg() and not is_hidden(info.name):
                yield stem, member
            if info.isdir() or is_hidden(info.name) or suffix in COMPANION_SUFFIXES:
                continue
            if not info.isreg():
                detail = "a link or device, not a file"
                yield stem, Reject(uri=uri_of(path, member), reason="not_an_image", detail=detail)
                continue
            if suffix not in IMAGE_SUFFIXES:
                file.seek(offset)
                if not sniff(file.read(min(info.size, SIGNATURE_BYTES))):
                    yield stem, Reject(uri=uri_of(path, member), reason="not_an_image", detail=shown(info.name))
                    continue
            yield stem, ImageRef(uri=uri_of(path, member))
