"""Read the samples of one shard, in order, one in memory at a time.

`tarfile` ends quietly at a header that it cannot make sense of, so a shard cut off or damaged in the middle would read
as a shorter one. Here it does not: what follows the last member has to be the end of a tar.
"""

import os
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from florenz.shards.schema import Sample
from florenz.shards.writer import BLOCK_BYTES
from florenz.stores import files

READ_BYTES = 1 << 20


class ShardError(ValueError):
    """A shard that is not a whole tar of regular files. offset: where in the file, in bytes."""

    def __init__(self, path: str, offset: int, detail: str) -> None:
        super().__init__(f"shard {path} is damaged at byte {offset}: {detail}")
        self.path = path
        self.offset = offset
        self.detail = detail


def iter_samples(path: str) -> Iterator[Sample]:
    """The samples of a shard. `ShardError` for a damaged tar, `SchemaError` for a sample that breaks the schema."""
    for key, members in iter_members(path):
        yield Sample.from_members(key, members)


def iter_members(path: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, {extension: content}) for each run of neighbouring files with one key; nothing is parsed.

    `ShardError` comes after the samples before the damage, save the last of them: whether that one is whole would
    show only in what follows it. `FileNotFoundError` without a shard.
    """
    key, members = "", dict[str, bytes]()
    for name, content in _iter_files(path):
        stem, _, extension = name.partition(".")
        if members and (stem != key or extension in members):
            yield key, members
            members = {}
        key = stem
        members[extension] = content
    if members:
        yield key, members


def _iter_files(path: str) -> Iterator[tuple[str, bytes]]:
    with files.open_read(path) as file:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            with closing(tarfile.open(fileobj=file, mode="r:")) as tar:
                while (info := tar.next()) is not None:
                    yield info.name, _content(path, tar, info, num_bytes)
                end = tar.offset
        except tarfile.TarError as problem:
            raise ShardError(path, file.tell(), str(problem)) from problem
        _check_end(path, file, end)


def _content(path: str, tar: tarfile.TarFile, info: tarfile.TarInfo, num_bytes: int) -> bytes:
    # Before reading: a damaged size may ask for more memory than there is.
    if not 0 <= info.size <= num_bytes - info.offset_data:
        raise ShardError(path, info.offset, f"{info.name} has {info.size} bytes, more than the file: it was cut off")
    content = tar.extractfile(info) if info.isreg() else None
    if content is None:
        raise ShardError(path, info.offset, f"{info.name} is not a regular file")
    return content.read()


def _check_end(path: str, file: BinaryIO, end: int) -> None:
    """Only zeros may follow the last member, and at least two blocks of them."""
    file.seek(end)
    num_zeros = 0
    while block := file.read(READ_BYTES):
        if block.count(0) < len(block):
            raise ShardError(path, end, "neither a file nor the end of the tar")
        num_zeros += len(block)
    if num_zeros < 2 * BLOCK_BYTES:
        raise ShardError(path, end, "the file ends without the end mark of a tar: it was cut off")
