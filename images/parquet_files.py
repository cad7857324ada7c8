"""A stranger's Parquet file: opening it within limits, and telling its faults from those of the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.bad_image import MAX_DETAIL_CHARS, BadImage
from florenz.images.source_files import local_name
from florenz.limits.errors import TooLarge, check
from florenz.limits.table import Limits

CHUNK, ROWS, FOOTER = "[limits] parquet_chunk_bytes", "[limits] parquet_rows", "[limits] parquet_footer_bytes"
TAIL_BYTES = 8  # of a Parquet file: the footer's length, and "PAR1"


@contextmanager
def parquet_faults() -> Iterator[None]:
    """Turns what pyarrow raises on a damaged file into BadImage `unreadable_source`."""
    try:
        yield
    except TooLarge as error:
        raise BadImage("unreadable_source", str(error)) from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        # pyarrow reports broken pages as a bare OSError; its subclasses are the network's and the disk's.
        if not isinstance(error, OSError) or (type(error) is OSError and error.errno is None):
            raise BadImage("unreadable_source", str(error).partition("\n")[0][:MAX_DETAIL_CHARS]) from error
        raise


def opened_parquet(file: BinaryIO, limits: Limits) -> pq.ParquetFile:
    """With its footer read, whose length is looked at before. Raises TooLarge."""
    num_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, num_bytes - TAIL_BYTES))
    footer_bytes = int.from_bytes(file.read(TAIL_BYTES)[:4], "little")
    check("its footer", footer_bytes, limits.parquet_footer_bytes, "bytes", FOOTER)
    file.seek(0)
    return pq.ParquetFile(file)


def check_row_group(file: pq.ParquetFile, row_group: int, limits: Limits) -> None:
    """Raises TooLarge."""
    # Not the column's own size: pyarrow 25 aborts the process on some damaged column metadata, row groups are safe.
    group = file.metadata.row_group(row_group)
    check(f"row group {row_group}", group.total_byte_size, limits.parquet_chunk_bytes, "bytes", CHUNK)
    check(f"row group {row_group}", group.num_rows, limits.parquet_rows, "rows", ROWS)


def version_of(path: str) -> tuple[int, ...]:
    """For the key of a cache: changes when a local file does. An object store would have to be asked for each row, so
    there it does not.
    """
    local = local_name(path)
    status = os.stat(local) if local is not None else None
    return (status.st_size, status.st_mtime_ns) if status else ()
