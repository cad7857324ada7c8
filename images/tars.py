"""Tars as sources of images: the offset in a reference makes each member one seek away.

The price is that compressed tars can't be read.
"""

import os
from collections.abc import Iterator

from florenz.images.folders import IMAGE_SUFFIXES, is_hidden
from florenz.images.formats import SIGNATURE_BYTES, sniff
from florenz.images.references import ImageRef, Member, Reject, shown, uri_of
from florenz.images.source_files import file_faults, open_file
from florenz.images.tar_members import tar_members
from florenz.limits.errors import advice, excess
from florenz.limits.table import Limits

COMPANION_SUFFIXES = (".json", ".txt", ".caption", ".cls", ".url", ".npy")  # stand beside an image in a tar: no rejects

SHOWN_NAME_CHARS = 64  # of a name that is too long


def read_tar(path: str, limits: Limits = Limits()) -> Iterator[ImageRef | Reject]:  # noqa: B008 - frozen
    """The images among the members. Raises BadImage where the tar breaks, behind what stands before the break."""
    with file_faults(), open_file(path) as file:
        for info, offset in tar_members(file, limits.tar_header_bytes):
            num_bytes = len(info.name.encode("utf-8", "surrogateescape"))
            if num_bytes > limits.name_bytes:
                member = Member(name=info.name[:SHOWN_NAME_CHARS], offset=offset, size=info.size)
                detail = f"its name has {excess(num_bytes, limits.name_bytes, 'bytes')}{advice('[limits] name_bytes')}"
                yield Reject(uri=uri_of(path, member), reason="name_too_long", detail=detail)
                continue
            member = Member(name=info.name, offset=offset, size=info.size)
            suffix = os.path.splitext(info.name)[1].lower()
            if info.isdir() or is_hidden(info.name) or suffix in COMPANION_SUFFIXES:
                continue
            if not info.isreg():
                yield Reject(uri=uri_of(path, member), reason="not_an_image", detail="a link or device, not a file")
                continue
            if suffix not in IMAGE_SUFFIXES:
                file.seek(offset)
                if not sniff(file.read(min(info.size, SIGNATURE_BYTES))):
                    yield Reject(uri=uri_of(path, member), reason="not_an_image", detail=shown(info.name))
                    continue
            yield ImageRef(uri=uri_of(path, member))
