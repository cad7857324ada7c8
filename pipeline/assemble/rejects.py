"""A reject: one thing that was dropped, at which step, why. A value that travels with the data; an error is an
exception instead.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

import pyarrow as pa
import pyarrow.parquet as pq

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


def write_rejects(path: str, rejects: Iterable[Reject]) -> str:
    """One Parquet file, sorted; the same rejects give the same bytes, whose SHA-256 comes back."""
    names = [field.name for field in fields(Reject)]
    rows = [asdict(reject) for reject in sorted(rejects)]
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
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
