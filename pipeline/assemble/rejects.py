"""A reject: one thing that was dropped, at which step, why. A value that travels with the data; an error is an
exception instead.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.references import relative_uri
from florenz.stores import files

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


def leave_rejects(folder: str, name: str, rejects: Iterable[Reject], images: str) -> None:
    """A part of a build's rejects, sorted, in its working folder; sources as they read from `images`. None, no part."""
    rejects = [replace(one, source=relative_uri(one.source, images)) for one in rejects]
    if rejects:
        write_rejects(files.join(folder, f"{name}{REJECTS}"), rejects)


def join_rejects(path: str, folder: str, names: Iterable[str]) -> str:
    """The parts of these names, one after the other, as one file; a part at a time is in memory. The same parts give
    the same bytes, whose SHA-256 comes back.
    """
    with files.atomic_write(path) as file:
        hashed = _Hashed(file)
        with pq.ParquetWriter(hashed, SCHEMA, compression="zstd") as writer:
            for name in names:
                writer.write_table(pq.read_table(io.BytesIO(files.read_bytes(files.join(folder, name)))))
    return hashed.digest.hexdigest()


def write_rejects(path: str, rejects: Iterable[Reject]) -> str:
    """One file, sorted; the same rejects give the same bytes, whose SHA-256 comes back."""
    rows, buffer = [asdict(one) for one in sorted(rejects)], io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), buffer, compression="zstd")
    with files.atomic_write(path) as file:
        file.write(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_rejects(path: str) -> list[Reject]:
    return list(iter_rejects(path))


def iter_rejects(path: str) -> Iterator[Reject]:
    """In order, with a few thousand in memory at a time."""
    with files.open_read(path) as file:
        for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
            yield from (Reject(**row) for row in batch.to_pylist())


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
