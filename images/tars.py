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

COMPANION_SUFFIXES = (".json", ".txt", ".caption", ".cls", ".url", ".npy")  # stand beside an image in a tar: no rejects


def read_tar(path: str) -> Iterator[ImageRef | Reject]:
    """The images among the members. Raises BadImage where the tar breaks, behind what stands before the break."""
    with file_faults(), open_file(path) as file:
        for info, offset in tar_members(file):
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
