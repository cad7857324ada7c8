"""Rows by bucket, more than a process should hold: all but the last of them lie on a disk, packed.

One file without a name, which is gone with the process however that ends. Where rows are few there is none.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, Any

from florenz.pipeline.packing import pack, unpack

BUCKETS = 1024
MAX_ROWS = 1 << 16  # held at once, some 30 MB


class Spill:
    """Rows are tuples of texts and numbers. Beside the rows that it holds it needs 16 bytes for 64 others."""

    def __init__(self, folder: str | None, max_rows: int = MAX_ROWS) -> None:
        """folder: on whose disk; None for the system's temporary one."""
        self._folder, self._max_rows = folder, max_rows
        self._file: IO[bytes] | None = None
        self._held: list[list[Any]] = [[] for _ in range(BUCKETS)]
        self._num_held = 0
        self._packs = [array("Q") for _ in range(BUCKETS)]  # offset and size, one pair after the other

    def add(self, bucket: int, row: tuple[Any, ...]) -> None:
        self._held[bucket].append(row)
        self._num_held += 1
        if self._num_held >= self._max_rows:
            self._write()

    def rows(self, bucket: int) -> list[Any]:
        """Those of a bucket, in the order in which they came."""
        if self._file is None:
            return list(self._held[bucket])
        number, packs = self._file.fileno(), self._packs[bucket]
        there = (os.pread(number, size, offset) for offset, size in zip(packs[::2], packs[1::2], strict=True))
        return [*map(tuple, unpack(there)), *self._held[bucket]]

    def all(self) -> Iterator[Any]:
        """A bucket after the other."""
        for bucket in range(BUCKETS):
            yield from self.rows(bucket)

    def close(self) -> None:
        """Lets go of all rows, and of the room on the disk."""
        if self._file:
            self._file.close()
        self._file, self._held, self._packs = None, [], []

    def _write(self) -> None:
        file = self._file = self._file or tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - `close` does
        offset = file.tell()
        for held, packs in zip(self._held, self._packs, strict=True):
            if held:
                packed = pack(held)
                file.write(packed)
                packs.extend((offset, len(packed)))
                offset += len(packed)
                held.clear()
        file.flush()  # it is read by its number
        self._num_held = 0
