"""Read the samples of one shard, in order, one in memory at a time.

`tarfile` ends quietly at a header that it cannot make sense of, so a shard cut off or damaged in the middle would read
as a shorter one. Here it does not: what follows the last member has to be the end of a tar.
"""

import os
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from florenz.shards.records import sample_from
from florenz.shards.schema import Sample
from florenz.shards.tar import ShardError, check_end
from florenz.stores import files

READ_BYTES = 1 << 20


def iter_samples(path: str) -> Iterator[Sample]:
    """The samples of a shard. `ShardError` for a damaged tar, `SchemaError` for a sample that breaks the schema."""
    for key, members in iter_members(path):
        yield sample_from(key, members)


def iter_placed_samples(path: str) -> Iterator[tuple[Sample, int]]:
    """Each sample with the offset of its picture's first byte in the shard; errors as of `iter_samples`."""
    for key, members, offsets in _iter_groups(path):
        yield sample_from(key, members), offsets["jpg"]


def iter_members(path: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, {extension: content}) for each run of neighbouring files with one key; nothing is parsed.

    `ShardError` comes after the samples before the damage, save the last of them: whether that one is whole would
    show only in what follows it. `FileNotFoundError` without a shard.
    """
    return ((key, members) for key, members, _ in _iter_groups(path))


def _iter_groups(path: str) -> Iterator[tuple[str, dict[str, bytes], dict[str, int]]]:
    """As `iter_members`, with the offset of each content in the shard."""
    key, members, offsets = "", dict[str, bytes](), dict[str, int]()
    for name, content, offset in _iter_files(path):
        stem, _, extension = name.partition(".")
        if members and (stem != key or extension in members):
            yield key, members, offsets
            members, offsets = {}, {}
        key = stem
        members[extension], offsets[extension] = content, offset
    if members:
        yield key, members, offsets


def _iter_files(path: str) -> Iterator[tuple[str, bytes, int]]:
    with files.open_read(path) as file:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            with closing(tarfile.open(fileobj=file, mode="r:")) as tar:
                while (info := tar.next()) is not None:
                    yield info.name, _content(path, tar, info, num_bytes), info.offset_data
                end = tar.offset
        except tarfile.TarError as problem:
            raise ShardError(path, file.tell(), str(problem)) from problem
        check_end(path, end, _pieces(file, end))


def _content(path: str, tar: tarfile.TarFile, info: tarfile.TarInfo, num_bytes: int) -> bytes:
    # Before reading: a damaged size may ask for more memory than there is.
    if not 0 <= info.size <= num_bytes - info.offset_data:
        raise ShardError(path, info.offset, f"{info.name} has {info.size} bytes, more than the file: it was cut off")
    content = tar.extractfile(info) if info.isreg() else None
    if content is None:
        raise ShardError(path, info.offset, f"{info.name} is not a regular file")
    return content.read(info.size)


def _pieces(file: BinaryIO, start: int) -> Iterator[bytes]:
    file.seek(start)
    while piece := file.read(READ_BYTES):
        yield piece
