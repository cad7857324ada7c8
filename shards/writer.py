"""Write one shard: a tar whose bytes depend on the samples alone, complete or absent, hashed on the way out.

Samples stream through, a shard is never in memory. The tar is the plainest there is (ustar, no owner, time 0, mode
0644), so any tar reader takes it. We fill the 512 header bytes ourselves: with `tarfile`'s TarInfo the three headers
of a sample took longer than the SHA-256 over its 63 KB (37 and 32 microseconds).
"""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from florenz.shards.plan import SPLITS
from florenz.shards.schema import Sample
from florenz.stores import files

BLOCK_BYTES = 512
RECORD_BYTES = 20 * BLOCK_BYTES  # tars end on a multiple of this, by tradition

MAX_NAME_BYTES = 100
MAX_MEMBER_BYTES = 8**11 - 1  # eleven octal digits
SIZE_AT = 124
CHECKSUM_AT = 148


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """What the manifest says of one shard.

    path: file name alone, the folder is shards/<build>. bytes: size of the tar. sha256: over all its bytes, in hex.
    counts: number of examples per "task/language", like {"caption/de": 980}.
    """

    path: str
    split: str
    samples: int
    bytes: int
    sha256: str
    counts: dict[str, int]


def write_shard(samples: Iterable[Sample], path: str, split: str) -> ShardInfo | None:
    """Write the samples to `path` in the order given, replacing what was there; the file appears when it is complete.

    Without a sample nothing is written and None comes back: an empty tar breaks the readers of the field. An error
    from `samples` passes through and leaves nothing behind.
    """
    assert split in SPLITS, split
    remaining = iter(samples)
    first = next(remaining, None)
    if first is None:
        return None
    counts: Counter[str] = Counter()
    with files.atomic_write(path) as file:
        tar = HashedTar(file)
        for sample in chain([first], remaining):
            tar.add(sample.members())
            tar.num_samples += 1
            counts.update(f"{example.task}/{example.language}" for example in sample.examples)
        tar.finish()
    return ShardInfo(
        path=posixpath.basename(path),
        split=split,
        samples=tar.num_samples,
        bytes=tar.num_bytes,
        sha256=tar.digest.hexdigest(),
        counts=dict(sorted(counts.items())),
    )


class HashedTar:
    """A tar that is being written to a file, with the size and SHA-256 of what went out."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.num_bytes = 0
        self.num_samples = 0

    def add(self, members: Iterable[tuple[str, bytes]]) -> None:
        for name, content in members:
            self._write(tar_header(name, len(content)))
            self._write(content)
            self._write(bytes(-len(content) % BLOCK_BYTES))

    def finish(self) -> None:
        self._write(bytes(2 * BLOCK_BYTES))
        self._write(bytes(-self.num_bytes % RECORD_BYTES))

    def _write(self, block: bytes) -> None:
        self.file.write(block)
        self.digest.update(block)
        self.num_bytes += len(block)


def tar_header(name: str, num_bytes: int) -> bytes:
    """The 512 bytes before a regular file in a ustar archive (POSIX.1-1988), the same as tarfile's.

    `ValueError` for a name or a size that needs more than plain ustar.
    """
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES or num_bytes > MAX_MEMBER_BYTES:
        raise ValueError(
            f"tar member {name} of {num_bytes} bytes: at most {MAX_NAME_BYTES} bytes of name and "
            f"{MAX_MEMBER_BYTES} bytes of content fit a plain tar"
        )
    size = b"%011o" % num_bytes
    checksum = TEMPLATE_SUM + sum(encoded) + sum(size)
    return b"".join(
        (
            encoded,
            TEMPLATE[len(encoded) : SIZE_AT],
            size,
            TEMPLATE[SIZE_AT + len(size) : CHECKSUM_AT],
            b"%06o\0 " % checksum,
            TEMPLATE[CHECKSUM_AT + 8 :],
        )
    )


def _template() -> bytes:
    """A header with no name, size or checksum: the checksum is counted with spaces in its own place."""
    fields = [
        bytes(MAX_NAME_BYTES),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",  # name, mode, uid, gid
        bytes(12),
        b"00000000000\0",
        b" " * 8,
        b"0",
        bytes(100),  # size, time, checksum, regular file, link name
        b"ustar\x0000",  # magic and version; owner, group, device and prefix stay empty
    ]
    return b"".join(fields).ljust(BLOCK_BYTES, b"\0")


TEMPLATE = _template()
TEMPLATE_SUM = sum(TEMPLATE)
