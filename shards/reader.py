"""Read the samples of one shard, in order, one in memory at a time.

A shard that was cut off or damaged in the middle does not read as a shorter one: what follows the last file has to be
the end of a tar (`tar.py`).
"""

from collections.abc import Iterator

from florenz.shards.records import sample_from
from florenz.shards.schema import Sample
from florenz.shards.tar import members_of
from florenz.stores import files


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
    """Name, content, and offset of the content."""
    with files.open_read(path) as file:
        for member in members_of(path, file):
            file.seek(member.content)
            yield member.name, file.read(member.size), member.content
