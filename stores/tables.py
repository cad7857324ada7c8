"""Small Parquet tables whose bytes are in memory, read by the thread that asks.

pyarrow's `read_table` starts threads, one of which can take the whole process down as it ends
(https://github.com/apache/arrow/issues/34314: "terminate called without an active exception"): seen in about one of
500 processes that read a table and were done. For tables of this size its threads gain nothing either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow import parquet as pq


def read_table(content: bytes, *, columns: Sequence[str] | None = None, verify: bool = False) -> pa.Table:
    """All rows, of these columns or of all. verify: hold each page against its checksum, where it has one.

    Raises:
        pa.ArrowException, OSError: no Parquet file, or a damaged one.
    """
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=verify)
    return file.read(columns=columns, use_threads=False)


def read_in_pieces(content: bytes, max_rows: int) -> Iterator[pa.Table]:
    """The same rows in their order, at most so many at a time. Raises as `read_table`, damage only where it lies."""
    file = pq.ParquetFile(pa.BufferReader(content))
    for number in range(file.num_row_groups):
        table = file.read_row_group(number, use_threads=False)
        yield from (table.slice(start, max_rows) for start in range(0, table.num_rows, max_rows))


def read_schema(content: bytes) -> pa.Schema:
    """Names and types of the columns, and what else the file says about itself. Raises as `read_table`."""
    return pq.ParquetFile(pa.BufferReader(content)).schema_arrow
