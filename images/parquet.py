"""Parquet files as sources of images: a column of bytes, or of {bytes, path} as Hugging Face writes it.

Parquet has no offset of a row: reading one decodes its row group, so the last two are kept (a reader that follows the
order of the references decodes each once).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.bad_image import MAX_DETAIL_CHARS, BadImage
from florenz.images.references import Cell, ImageRef, Reject, uri_of
from florenz.images.source_files import check_bytes, file_faults, local_name, open_file

IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "bytes", "image_bytes", "img")  # in this order of preference
MAX_ROW_GROUP_BYTES = 2 << 30  # unpacked; the image columns of two row groups can be in memory
MAX_ROW_GROUP_ROWS = 10_000_000  # a damaged footer can promise 2**62 rows, and to list them would not end


def read_parquet(path: str) -> Iterator[ImageRef | Reject]:
    """The rows, which may still be null. Raises BadImage for a file that is damaged or has too large row groups."""
    with _parquet_faults(), file_faults(), open_file(path) as opened:
        file = pq.ParquetFile(opened)
        column = _image_column(file.schema_arrow)
        if column is None:
            names = ", ".join(file.schema_arrow.names)
            detail = f"none of {', '.join(IMAGE_COLUMNS)} is a column of bytes; columns: {names}"
            yield Reject(uri=uri_of(path), reason="no_image_column", detail=detail[:MAX_DETAIL_CHARS])
            return
        for row_group in range(file.num_row_groups):
            _check_row_group(file, row_group)
            for row in range(file.metadata.row_group(row_group).num_rows):
                yield ImageRef(uri=uri_of(path, Cell(row_group=row_group, row=row, column=column)))


@contextmanager
def _parquet_faults() -> Iterator[None]:
    """Turns what pyarrow raises on a damaged file into BadImage `unreadable_source`."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        # pyarrow reports broken pages as a bare OSError; its subclasses are the network's and the disk's.
        if not isinstance(error, OSError) or (type(error) is OSError and error.errno is None):
            raise BadImage("unreadable_source", str(error).partition("\n")[0][:MAX_DETAIL_CHARS]) from error
        raise


def _image_column(schema: pa.Schema) -> str | None:
    """The column that holds images: bytes, or the {bytes, path} struct of Hugging Face datasets."""
    for name in IMAGE_COLUMNS:
        index = schema.get_field_index(name)  # -1: absent, or there twice
        kind = schema.field(index).type if index >= 0 else pa.null()
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            return name
    return None


def _leaf(schema: pa.Schema, column: str) -> str:
    return f"{column}.bytes" if pa.types.is_struct(schema.field(column).type) else column


def _check_row_group(file: pq.ParquetFile, row_group: int) -> None:
    # Not the column's own size: pyarrow 25 aborts the process on some damaged column metadata, row groups are safe.
    group = file.metadata.row_group(row_group)
    if group.total_byte_size > MAX_ROW_GROUP_BYTES or group.num_rows > MAX_ROW_GROUP_ROWS:
        detail = f"row group {row_group} holds {group.num_rows} rows, {group.total_byte_size} bytes; write smaller ones"
        raise BadImage("unreadable_source", detail)


def _bytes_of(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column


def cell_bytes(path: str, cell: Cell, max_bytes: int) -> bytes:
    """The bytes of one row. BadImage: `null_cell`, `too_many_bytes`, or what is wrong with the file."""
    with _parquet_faults(), file_faults():
        images = _row_group_images(path, _version(path), cell.row_group, cell.column)
    if cell.row >= len(images):
        raise BadImage("unreadable_file", f"no row {cell.row}: it has changed since it was listed")
    if not images[cell.row].is_valid:
        raise BadImage("null_cell")
    buffer = images[cell.row].as_buffer()
    check_bytes(buffer.size, max_bytes)
    return buffer.to_pybytes()


def _version(path: str) -> tuple[int, ...]:
    """Changes when a local file does; an object store would have to be asked for each row, so there it does not."""
    local = local_name(path)
    status = os.stat(local) if local is not None else None
    return (status.st_size, status.st_mtime_ns) if status else ()


@lru_cache(maxsize=2)
def _row_group_images(path: str, version: tuple[int, ...], row_group: int, column: str) -> pa.ChunkedArray:
    """`version` is only part of the cache's key."""
    with open_file(path) as opened:
        file = pq.ParquetFile(opened)
        if row_group >= file.num_row_groups or column not in file.schema_arrow.names:
            raise BadImage("unreadable_source", f"no row group {row_group} with {column!r}: it has changed since")
        _check_row_group(file, row_group)
        return _bytes_of(file.read_row_group(row_group, columns=[_leaf(file.schema_arrow, column)]).column(0))
