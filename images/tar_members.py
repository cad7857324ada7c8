"""Walks over the members of a stranger's tar, which may be damaged, and says where each one's bytes lie.

Apart from the readers of shards, which ask for more: `train/data/tar_index.py` takes nothing but our own plain ustar,
`shards/reader.py` and `shards/tar.py` refuse a whole file for what stands behind its end. Tars of images come with long
names, pax records and links, appended to and cut off; here what stands before a break is kept, and the break is told.
"""

import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from florenz.images.bad_image import BadImage
from florenz.images.references import shown
from florenz.limits.errors import check
from florenz.limits.table import Limits

_BLOCK = 512  # the unit of a tar
_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)  # of the next member
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


def tar_members(
    file: BinaryIO, max_header_bytes: int = Limits.tar_header_bytes
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """Each member with the offset of its bytes. Raises BadImage `unreadable_source` where the tar breaks or just ends.

    Our own walk over tarfile's headers: TarFile takes a damaged header, or a tar cut between two members, for the end
    of the archive, yields a member whose bytes are missing, and can be sent round in circles by a negative size.
    """
    num_bytes = file.seek(0, os.SEEK_END)
    at, name, records = 0, "", dict[str, bytes]()
    while True:
        file.seek(at)
        block = file.read(_BLOCK)
        if block == bytes(_BLOCK):
            return
        if len(block) < _BLOCK:
            where = at + len(block)
            raise BadImage("unreadable_source", f"the tar is cut short: it ends at byte {where}, without an end mark")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            start, is_header = at + _BLOCK, info.type in _HEADERS
            if not is_header:
                info.size = int(records.get("size", info.size))
            if info.type in _WITHOUT_DATA:
                info.size = 0
            if info.size < 0:
                raise ValueError(f"a member of {info.size} bytes")
            if is_header:
                check("its header", info.size, max_header_bytes, "bytes", "[limits] tar_header_bytes")
            if start + info.size > num_bytes:
                raise ValueError(f"cut short: {shown(info.name)} should have {info.size} bytes")
            if info.issparse() or any(key.startswith("GNU.sparse") for key in records):
                raise ValueError(f"{shown(info.name)} is sparse; write the tar without --sparse")
            at = start + -(-info.size // _BLOCK) * _BLOCK
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = file.read(info.size).partition(b"\0")[0].decode("utf-8", "surrogateescape")
            elif info.type == tarfile.XHDTYPE:
                records = _pax_records(file.read(info.size))
        except (tarfile.TarError, ValueError) as error:
            raise BadImage("unreadable_source", f"the tar breaks at byte {at}: {error}") from error
        if not is_header:
            info.name = records.get("path", b"").decode("utf-8", "surrogateescape") or name or info.name or "?"
            yield info, start
            name, records = "", {}


def _pax_records(data: bytes) -> dict[str, bytes]:
    """Records "<length> <key>=<value>\\n" of a pax header. ValueError where they don't add up."""
    records, at = dict[str, bytes](), 0
    while at < len(data) and data[at]:
        space = data.index(b" ", at)
        end = at + int(data[at:space])
        if not space < end <= len(data):
            raise ValueError("a pax record has a wrong length")
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        records[key.decode("utf-8", "surrogateescape")] = value
        at = end
    return records
