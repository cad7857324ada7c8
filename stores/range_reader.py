"""An object as a seekable file: one request brings a window, and windows grow while they are read one after the other.

A short way forward is read too: while a megabyte comes, a request has hardly begun. So a walk over the headers of a tar
costs a request for every 8 MiB, as reading a shard from its start does, and one for each member where members are
large. All of them ask for the version that was opened, so that nobody reads half of one and half of another.
"""

import io
import os
from collections.abc import Callable
from typing import Any

FIRST_BYTES = 1 << 18  # most images fit, and are then one request
SMALL_BYTES = 1 << 16
LARGE_BYTES = 1 << 23
NEAR_BYTES = 1 << 20  # what a store sends in some 20 ms, in which it also answers a request


class RangeReader(io.RawIOBase):
    """fetch: (start, end) -> these bytes of the version that was opened. first: its first bytes, as far as known."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, first: bytes) -> None:
        self._fetch, self._size = fetch, size
        self._window, self._start = memoryview(first), 0
        self._next_bytes = FIRST_BYTES
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._window):
            self._move(wanted)
        found = self._window[self._at - self._start :][:wanted]
        memoryview(buffer).cast("B")[: len(found)] = found
        self._at += len(found)
        return len(found)

    def readall(self) -> bytes:
        """What is in the window, and the rest in one request."""
        offset = self._at - self._start
        have = bytes(self._window[offset:]) if 0 <= offset < len(self._window) else b""
        start = self._at + len(have)
        self._at = max(self._at, self._size)
        return have + self._fetch(start, self._size) if start < self._size else have

    def _move(self, wanted: int) -> None:
        way = self._at - self._start - len(self._window)
        is_sequel = 0 <= way <= NEAR_BYTES
        self._next_bytes = min(2 * self._next_bytes, LARGE_BYTES) if is_sequel else SMALL_BYTES
        end = min(self._at + max(wanted, self._next_bytes), self._size)
        self._window, self._start = memoryview(self._fetch(self._at, end)), self._at
        if len(self._window) != end - self._at:
            raise EOFError(f"{len(self._window)} of {end - self._at} bytes at byte {self._at}")
