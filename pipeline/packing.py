"""Small things travel in packs: many rows of one key as one element, compressed.

An engine spends more on an element than on what is in it: the in-process runner keeps about a kilobyte for each that it
groups, of a hundred bytes. Rows that go the same way are put together before they are shuffled, and taken apart by who
gets them; an image then costs some 50 bytes. That runner holds packs several times over, so those of a large run wait
on a disk meanwhile (`workers/waiting_packs.py`).
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from florenz.pipeline.workers.waiting_packs import laid_down, picked_up

MAX_ROWS = 1 << 16  # held by one worker's step, some 30 MB
MAX_BYTES = 1 << 20  # of packs, the same


def pack(rows: Sequence[Any]) -> bytes:
    """rows: anything that JSON holds."""
    return zlib.compress(json.dumps(rows).encode("utf-8", "surrogatepass"), 1)


def unpack(packs: Iterable[bytes], folder: str = "") -> Iterator[Any]:
    """The rows of several packs, in no order that means anything. folder: that of `PackByKey`."""
    for one in packs:
        yield from json.loads(zlib.decompress(picked_up(one, folder)).decode("utf-8", "surrogatepass"))


class PackByKey(beam.DoFn):  # type: ignore[misc]
    """(key, row) -> (key, pack), where GroupByKey follows.

    folder: where packs wait (`runners.contract.packs_waiting`), all but the last ones of each bundle; "": they travel
    themselves.
    """

    def __init__(self, folder: str = "", max_rows: int | None = None) -> None:
        super().__init__()
        self._folder, self._max_rows = folder, max_rows or MAX_ROWS

    def start_bundle(self) -> None:
        self._rows: dict[Any, list[Any]] = defaultdict(list)
        self._number = 0

    def process(self, element: tuple[Any, Any]) -> Iterator[tuple[Any, bytes]]:
        key, row = element
        self._rows[key].append(row)
        self._number += 1
        if self._number >= self._max_rows:
            keys, packs = self._taken()
            yield from zip(keys, laid_down(packs, self._folder) if self._folder else packs, strict=True)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        return (_of_no_time(key_and_pack) for key_and_pack in zip(*self._taken(), strict=True))

    def _taken(self) -> tuple[list[Any], list[bytes]]:
        rows = self._rows
        self.start_bundle()
        return list(rows), [pack(of_key) for of_key in rows.values()]


class LayDown(beam.DoFn):  # type: ignore[misc]
    """pack -> the pack or what says where it lies, where a Reshuffle follows. folder: as of `PackByKey`."""

    def __init__(self, folder: str, max_bytes: int | None = None) -> None:
        super().__init__()
        self._folder, self._max_bytes = folder, max_bytes or MAX_BYTES

    def start_bundle(self) -> None:
        self._packs: list[bytes] = []
        self._num_bytes = 0

    def process(self, element: bytes) -> Iterator[bytes]:
        if not self._folder:
            yield element
            return
        self._packs.append(element)
        self._num_bytes += len(element)
        if self._num_bytes >= self._max_bytes:
            packs = self._packs
            self.start_bundle()
            yield from laid_down(packs, self._folder)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        return (_of_no_time(one) for one in self._packs)


def _of_no_time(element: Any) -> WindowedValue:
    window = GlobalWindow()
    return WindowedValue(element, window.max_timestamp(), (window,))
