"""A reject: one thing that was dropped, at which step, why. A value that travels with the data; an error is an
exception instead.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.references import relative_uri
from florenz.stores import files
from florenz.stores.tables import read_table

BATCH_ROWS = 4096


@dataclass(frozen=True, kw_only=True, order=True)
class Reject:
    """Ordered by its fields, so that a build's rejects always stand in the same order.

    `key` is empty where there never was one (a file that is not an image); `language` and `style` where the image
    itself is dropped.
    """

    key: str = ""
    step: str
    language: str = ""
    style: str = ""
    reason: str
    detail: str = ""
    text: str = ""
    source: str = ""


REJECTS = ".rejects"
SCHEMA = pa.schema([(field.name, pa.string()) for field in fields(Reject)])
_ROW = attrgetter(*SCHEMA.names)  # its tuples sort as rejects do, in a quarter of the time


def leave_rejects(folder: str, name: str, rejects: Iterable[Reject], images: str) -> None:
    """A part of a build's rejects, sorted, in its working folder; sources as they read from `images`. None, no part."""
    rows = [(*_ROW(one)[:-1], relative_uri(one.source, images)) for one in rejects]  # the source is the last field
    if rows:
        _write(files.join(folder, f"{name}{REJECTS}"), rows)


def join_rejects(path: str, folder: str, names: Iterable[str]) -> str:
    """The parts of these names, one after the other, as one file; a part at a time is in memory. The same parts give
    the same bytes, whose SHA-256 comes back.
    """
    with files.atomic_write(path) as file:
        hashed = _Hashed(file)
        with pq.ParquetWriter(hashed, SCHEMA, compression="zstd") as writer:
            for name in names:
                writer.write_table(read_table(files.read_bytes(files.join(folder, name))))
    return hashed.digest.hexdigest()


def write_rejects(path: str, rejects: Iterable[Reject]) -> str:
    """One file, sorted; the same rejects give the same bytes, whose SHA-256 comes back."""
    return _write(path, map(_ROW, rejects))


def _write(path: str, rows: Iterable[tuple[str, ...]]) -> str:
    """rows: of `_ROW`."""
    rows, buffer = sorted(rows), io.BytesIO()
    columns = {name: [row[place] for row in rows] for place, name in enumerate(SCHEMA.names)}
    pq.write_table(pa.table(columns, schema=SCHEMA), buffer, compression="zstd")
    with files.atomic_write(path) as file:
        file.write(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_rejects(path: str) -> list[Reject]:
    return list(iter_rejects(path))


def iter_rejects(path: str, within: str = "") -> Iterator[Reject]:
    """In order, a few thousand in memory at a time; of one range of keys, from those row groups that may hold it."""
    with files.open_read(path) as file:
        opened = pq.ParquetFile(file)
        groups = [number for number in range(opened.num_row_groups) if _may_hold(opened.metadata, number, within)]
        for batch in opened.iter_batches(BATCH_ROWS, row_groups=groups) if groups else ():
            found = batch.filter(pc.starts_with(batch.column("key"), within)) if within else batch
            yield from (Reject(**row) for row in found.to_pylist())


def leave_out(path: str, keys: Collection[str]) -> str:
    """Write the file anew without rejects about these, a row group at a time; its SHA-256. What is left keeps its
    order and its row groups, so that the same is left wherever a removal was killed.
    """
    gone = pa.array(sorted(keys), pa.string())
    with files.open_read(path) as file, files.atomic_write(path) as target:
        hashed, opened = _Hashed(target), pq.ParquetFile(file)
        with pq.ParquetWriter(hashed, SCHEMA, compression="zstd") as writer:
            for number in range(opened.num_row_groups):
                group = opened.read_row_group(number)
                left = group.filter(pc.invert(pc.is_in(group.column("key"), value_set=gone)))
                if left.num_rows:
                    writer.write_table(left)
    return hashed.digest.hexdigest()


def _may_hold(footer: pq.FileMetaData, group: int, within: str) -> bool:
    """Whether a key of this range can be in this row group, which knows its smallest and largest."""
    keys = footer.row_group(group).column(SCHEMA.get_field_index("key")).statistics
    if not within or keys is None or not keys.has_min_max:
        return True
    return bool(keys.min[: len(within)] <= within <= keys.max[: len(within)])


def count_rejects(path: str) -> int:
    """From the footer alone."""
    with files.open_read(path) as file:
        return int(pq.read_metadata(file).num_rows)


class _Hashed(io.RawIOBase):
    """A file that is being written, with the SHA-256 of what went out."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.digest.update(block)
        self._size += len(block)
        return self._file.write(block)

    def tell(self) -> int:
        return self._size
