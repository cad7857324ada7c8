"""What every reader of shards asks of a tar: its files, one header after the other, and how damage is told.

Readers of tars stop at the first block of zeros, so a shard that was cut off between two files, or zeroed in the
middle, would pass for a shorter one. What follows the last file has to be the end of a tar, and nothing else. Only
ustar is understood, which is what `writer.py` writes; `tarfile` takes five times as long for a header.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from florenz.shards.writer import BLOCK_BYTES, CHECKSUM_AT, MAX_NAME_BYTES, SIZE_AT

TYPE_AT = 156
MAGIC_AT = 257
REGULAR = (b"0", b"\0")
PASSED_OVER = (b"x", b"g")  # pax headers of somebody who has repacked it: our names and sizes do without
READ_BYTES = 1 << 20
NO_END_MARK = "the file ends without the end mark of a tar: it was cut off"


class ShardError(ValueError):
    """A shard that is not a whole tar of regular files. offset: where in the file, in bytes."""

    def __init__(self, path: str, offset: int, detail: str) -> None:
        super().__init__(f"shard {path} is damaged at byte {offset}: {detail}")
        self.path = path
        self.offset = offset
        self.detail = detail


class Member(NamedTuple):
    """A file in a tar: offsets of its header and of its content, and the size of that, in bytes."""

    name: str
    header: int
    content: int
    size: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.content + -(-self.size // BLOCK_BYTES) * BLOCK_BYTES


def members(path: str, num_bytes: int, read: Callable[[int, int], bytes]) -> Iterator[Member]:
    """The files of a tar of so many bytes, in order; contents are passed over. Raises ShardError.

    path: for messages. read: bytes at an offset, at most so many; fewer where the tar ends.
    """
    at = 0
    while (header := read(at, BLOCK_BYTES)).count(0) < BLOCK_BYTES:
        if len(header) < BLOCK_BYTES:
            raise ShardError(path, at, NO_END_MARK)
        name, kind, size = _parse(path, header, at)
        member = Member(name, at, at + BLOCK_BYTES, size)
        if size > num_bytes - member.content:  # before anybody reads it: it may ask for more memory than there is
            raise ShardError(path, at, f"{name} has {size} bytes, more than the file: it was cut off")
        if kind in REGULAR:
            yield member
        at = member.end
    check_end(path, at, _pieces(read, at))


def members_of(path: str, file: BinaryIO) -> Iterator[Member]:
    """The same of an open file, which may be read and moved in between."""

    def read(at: int, size: int) -> bytes:
        file.seek(at)
        return file.read(size)

    return members(path, file.seek(0, os.SEEK_END), read)


def check_end(path: str, end: int, rest: Iterable[bytes]) -> None:
    """Only zeros may follow the last file, and at least two blocks of them (POSIX.1-1988).

    path: for the message. end: offset behind the last file. rest: all bytes from there on, in pieces of any size.
    """
    num_zeros = 0
    for piece in rest:
        if piece.count(0) < len(piece):
            raise ShardError(path, end, "neither a file nor the end of the tar")
        num_zeros += len(piece)
    if num_zeros < 2 * BLOCK_BYTES:
        raise ShardError(path, end, NO_END_MARK)


def _parse(path: str, header: bytes, at: int) -> tuple[str, bytes, int]:
    """Name, type and size. The checksum is counted with spaces in its own place (POSIX.1-1988, ustar)."""
    try:
        stated = int(header[CHECKSUM_AT : CHECKSUM_AT + 6].rstrip(b"\0 "), 8)
        size = int(header[SIZE_AT : SIZE_AT + 11], 8)
        name = header[:MAX_NAME_BYTES].rstrip(b"\0").decode()
    except ValueError as problem:
        raise ShardError(path, at, f"neither a file nor the end of the tar: not a tar header: {problem}") from problem
    if sum(header) - sum(header[CHECKSUM_AT : CHECKSUM_AT + 8]) + 8 * ord(" ") != stated or size < 0:
        raise ShardError(path, at, "neither a file nor the end of the tar: the header's checksum is wrong")
    kind = header[TYPE_AT : TYPE_AT + 1]
    if kind not in REGULAR + PASSED_OVER or header[MAGIC_AT : MAGIC_AT + 5] != b"ustar":
        raise ShardError(path, at, f"{name} is not a regular file of a plain ustar tar: assemble the dataset again")
    return name, kind, size


def _pieces(read: Callable[[int, int], bytes], start: int) -> Iterator[bytes]:
    while piece := read(start, READ_BYTES):
        yield piece
        start += len(piece)
