"""Which shard each image stands in, while all shards are gone through: of a hundred million images too.

A temporary database of SQLite (https://www.sqlite.org/inmemorydb.html, "temporary databases"): in memory while it is
small, on the temporary disk (TMPDIR, else /var/tmp) once it is larger than its cache, and gone with its connection,
however that ends.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator

from florenz.shards.writer import ShardInfo

CACHE_BYTES = 64 << 20  # one and a half million images, of 43 bytes each


class Owners:
    """Image -> its first shard. Raises OSError where the temporary disk is full."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self.num_images: Counter[str] = Counter()  # of each split
        self._shards: list[ShardInfo] = []
        self._numbers: dict[str, int] = {}  # path -> place in the list
        self._table = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{cache_bytes >> 10}", "synchronous = off", "journal_mode = off"):
            self._table.execute(f"PRAGMA {setting}")
        self._table.execute("CREATE TABLE owner (image BLOB PRIMARY KEY, shard INTEGER) WITHOUT ROWID")
        self._table.execute("BEGIN")  # and no end: of 300,000 images, a commit for each took ten times as long

    def close(self) -> None:
        """What lies on the disk is gone."""
        self._table.close()

    def __len__(self) -> int:
        return self.num_images.total()

    def get(self, image: str) -> ShardInfo | None:
        with _faults_of_disks():
            found = self._table.execute("SELECT shard FROM owner WHERE image = ?", (_bytes_of(image),)).fetchone()
        return None if found is None else self._shards[found[0]]

    def add(self, image: str, shard: ShardInfo) -> None:
        """Of one that has an owner, nothing."""
        if shard.path not in self._numbers:
            self._numbers[shard.path] = len(self._shards)
            self._shards.append(shard)
        with _faults_of_disks():
            row = (_bytes_of(image), self._numbers[shard.path])
            added = self._table.execute("INSERT OR IGNORE INTO owner VALUES (?, ?)", row).rowcount
        self.num_images[shard.split] += added


def _bytes_of(image: str) -> bytes:
    """A name in a tar may be no valid Unicode."""
    return image.encode("utf-8", "surrogatepass")


@contextlib.contextmanager
def _faults_of_disks() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as fault:
        raise OSError(f"the list of images seen can't be kept on the temporary disk ({fault}): set TMPDIR") from fault
