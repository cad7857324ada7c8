"""The files of IMAGES, listed in parts: no process holds all of them, the launcher included.

Listed once, one by one (`images/listing.py`), and put aside twice (`spill.py`): by their names without suffix, where a
picture meets what stands beside it, and then by the hash of their paths, by which what is found in them is kept too
(`known_sources.py`). From there comes the digest, which tells whether anything has changed since the last run, and only
if something has, the parts that workers open:

    OUT/ledger/listing/<group>.pack    files of a group, by path; gone with its graph, at the latest when new ones come

A worker is told a part's name and hash. A listing that was interrupted leaves parts that nobody asks for.

Of a listing of n files a process holds n / 1,024 at about a kilobyte, twice 65,536 on their way to the disk, and half a
byte for each file; the disk holds some 60 bytes for each, twice: that of OUT, where OUT is a folder.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Literal

from florenz.images.folders import COMPANION_SUFFIXES, IMAGE_SUFFIXES, SIDECAR_SUFFIX, SourceFile
from florenz.images.folders import _kind as kind_of
from florenz.images.folders import _stamp as stamp_of
from florenz.images.listing import listed
from florenz.images.references import uri_of
from florenz.limits.reading import read_whole
from florenz.limits.table import Limits
from florenz.pipeline.packing import pack, unpack
from florenz.pipeline.ranges import digits_for, range_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.spill import BUCKETS, Spill
from florenz.pipeline.workers.errors import WorkerError
from florenz.stores import files

IMAGES_OF_A_TAR = 1000  # guessed, before any is opened: it decides the number of groups and nothing else
SORTED_AT_ONCE = 1 << 16
FILES_TOGETHER = 64  # in an object store each is a request
PART_BYTES = 1 << 30  # at most
HASHED_DIGITS = 3  # of 4,096 beginnings of a hash four share a bucket
Listed = tuple[str, int, str]  # path, size, stamp
Kind = Literal["file", "tar", "parquet"]
Row = tuple[str, Kind, str, str, int]  # as SourceFile has them: path, kind, stamp, sidecar, size


@dataclass(frozen=True, kw_only=True)
class Part:
    """The files of a group. sha256: of the file in which they stand."""

    path: str
    sha256: str

    def files(self) -> list[SourceFile]:
        """By path. Raises WorkerError for what is not what the launcher wrote."""
        with files.open_read(self.path) as file:
            content = read_whole(file, PART_BYTES, self.path)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise WorkerError(f"{self.path} is not what the launcher wrote there: run the same command again")
        return unpacked_files(content)


class Listing:
    """All files of a source. To be used in a `with`, or closed, or forgotten: nothing is left of it either way."""

    def __init__(self, source: str, limits: Limits, *, only: str = "", folder: str | None = None) -> None:
        """Raises as `listed` does. only: how names have to end. folder: on whose disk rows wait."""
        self.num_files = self.num_archives = self.num_bytes = 0  # bytes: of files that images are read from
        self.is_stamped = True
        self._rows = Spill(folder)
        by_stem = Spill(folder)
        try:
            listed_at = time.time()
            for entry in listed(source, limits):
                if entry.name.endswith(only):
                    stem = entry.name.rpartition(".")[0]  # one for all of which `_stem` says the same, and faster
                    by_stem.add(hash(stem) % BUCKETS, (entry.name, entry.size, stamp_of(entry, listed_at)))
            for bucket in range(BUCKETS):
                for row in _paired(by_stem.rows(bucket)):
                    self._add(row)
        finally:
            by_stem.close()

    def __enter__(self) -> Listing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._rows.close()

    @property
    def digits(self) -> int:
        """Of the groups."""
        return digits_for(self.num_files - self.num_archives + IMAGES_OF_A_TAR * self.num_archives)

    def digest(self, rules: str) -> str:
        """Stands for all that decides what is found, as long as all files have stamps; in whatever order they came.

        rules: what else decides it.
        """
        digest = hashlib.sha256(rules.encode())
        for bucket in range(BUCKETS):
            if rows := sorted(self._rows.rows(bucket)):
                digest.update(json.dumps([(path, stamp) for path, _, stamp, *_ in rows]).encode())
        return digest.hexdigest()

    def in_order(self) -> Iterator[SourceFile]:
        """All of them by path, some at a time, and each time all are gone through."""
        last = ""  # before all paths
        while some := heapq.nsmallest(SORTED_AT_ONCE, (row for row in self._rows.all() if row[0] > last)):
            yield from map(_file, some)
            last = some[-1][0]

    def write_parts(self, out: str, digits: int) -> Iterator[tuple[str, Part]]:
        """Group -> its part, in the order of groups; only those in which there is a file."""
        remove_parts(out)
        for group, rows in groupby(self._by_group(digits), key=lambda found: found[0]):
            content = pack(sorted(row for _, row in rows))
            path = files.join(_folder(out), f"{group}.pack")
            with files.atomic_write(path) as file:
                file.write(content)
            yield group, Part(path=path, sha256=hashlib.sha256(content).hexdigest())

    def _by_group(self, digits: int) -> Iterator[tuple[str, Row]]:
        for bucket in range(BUCKETS):
            rows: list[Row] = self._rows.rows(bucket)
            yield from sorted((range_of(uri_of(row[0]), digits), row) for row in rows)

    def _add(self, row: Row) -> None:
        path, kind, stamp, _, size = row
        self.num_files += 1
        self.num_archives += kind != "file"
        self.num_bytes += size
        self.is_stamped = self.is_stamped and bool(stamp)
        self._rows.add(int(range_of(uri_of(path), HASHED_DIGITS), 16) * BUCKETS // 16**HASHED_DIGITS, row)


def listing_of(recipe: Recipe) -> Listing:
    """The files of its IMAGES; raises ValueError, which says why, where there are none or too deep ones.

    OUT is taken literally, whatever stands in its name; what the user gave as IMAGES may be a glob.
    """
    out = files.local_path(recipe.out)
    folder = out if out is not None and os.path.isdir(out) else None
    if recipe.images.is_playground:
        return Listing(files.join(recipe.out, "images"), recipe.limits, only=".jpg", folder=folder)
    return Listing(recipe.image_source, recipe.limits, folder=folder)


def remove_parts(out: str) -> None:
    """Those of a graph that has ended, however that was."""
    for path in files.list_files(_folder(out)):
        files.remove(path)


def packed_files(sources: Iterable[SourceFile]) -> Iterator[bytes]:
    """What goes from worker to worker: an archive by itself, single files some together."""
    plain: list[Row] = []
    for source in sources:
        row = (source.path, source.kind, source.stamp, source.sidecar, source.size)
        if source.kind != "file":
            yield pack([row])
            continue
        plain.append(row)
        if len(plain) == FILES_TOGETHER:
            yield pack(plain)
            plain = []
    if plain:
        yield pack(plain)


def unpacked_files(packed: bytes) -> list[SourceFile]:
    """What `packed_files` put together."""
    return [_file(tuple(row)) for row in unpack([packed])]


def _folder(out: str) -> str:
    return files.join(out, "ledger", "listing", "")


def _file(row: Row) -> SourceFile:
    path, kind, stamp, sidecar, size = row
    return SourceFile(path=path, kind=kind, stamp=stamp, sidecar=sidecar, size=size)


def _paired(found: Iterable[Listed]) -> Iterator[Row]:
    """Each but those that stand beside a picture of the same name, which are told with it. found: of some names all."""
    found = list(found)
    beside = {path: stamp for path, _, stamp in found if path.lower().endswith(COMPANION_SUFFIXES)}
    if beside:
        pictures = {_stem(path) for path, *_ in found if path.lower().endswith(IMAGE_SUFFIXES)}
        beside = {path: stamp for path, stamp in beside.items() if _stem(path) in pictures}
    for path, size, stamp in found:
        if path in beside:
            continue
        sidecar = f"{_stem(path)}{SIDECAR_SUFFIX}" if beside else ""
        if sidecar in beside and path.lower().endswith(IMAGE_SUFFIXES):
            both = f"{stamp} {beside[sidecar]}" if stamp and beside[sidecar] else ""
            yield path, kind_of(path), both, sidecar, size
        else:
            yield path, kind_of(path), stamp, "", size


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]
