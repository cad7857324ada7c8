"""Parquet files as sources of images: a column of bytes, or of {bytes, path} as Hugging Face writes it.

Parquet has no offset of a row: reading one decodes its row group, so the last two are kept (a reader that follows the
order of the references decodes each once).

A column of 69 KB can unpack to 9 GiB, because a dictionary says once what stands in each row. What its pages would
become is added up first (`parquet_pages.py`), and where values are repeated that often they stay in the dictionary
(which costs a hash of each value, so it is done for no other column).
"""

from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.bad_image import MAX_DETAIL_CHARS, BadImage
from florenz.images.parquet_files import check_row_group, opened_parquet, parquet_faults, version_of
from florenz.images.parquet_pages import repeated_bytes
from florenz.images.references import Cell, ImageRef, Reject, uri_of
from florenz.images.source_files import check_bytes, file_faults, open_file
from florenz.limits.table import Limits

IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "bytes", "image_bytes", "img")  # in this order of preference
REPEATED_BYTES = 256 << 20  # beyond, equal values are kept once; below, hashing each would cost more than it saves


def read_parquet(path: str, limits: Limits = Limits()) -> Iterator[ImageRef | Reject]:  # noqa: B008 - frozen
    """The rows, which may still be null. Raises BadImage for a file that is damaged or has too large row groups."""
    with parquet_faults(), file_faults(), open_file(path) as opened:
        file = opened_parquet(opened, limits)
        column = _image_column(file.schema_arrow)
        if column is None:
            names = ", ".join(file.schema_arrow.names)
            detail = f"none of {', '.join(IMAGE_COLUMNS)} is a column of bytes; columns: {names}"
            yield Reject(uri=uri_of(path), reason="no_image_column", detail=detail[:MAX_DETAIL_CHARS])
            return
        for row_group in range(file.num_row_groups):
            check_row_group(file, row_group, limits)
            for row in range(file.metadata.row_group(row_group).num_rows):
                yield ImageRef(uri=uri_of(path, Cell(row_group=row_group, row=row, column=column)))


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


def _bytes_of(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column


def cell_bytes(path: str, cell: Cell, max_bytes: int, limits: Limits = Limits()) -> bytes:  # noqa: B008 - frozen
    """The bytes of one row. BadImage: `null_cell`, `too_many_bytes`, or what is wrong with the file."""
    with parquet_faults(), file_faults():
        images = _row_group_images(path, version_of(path), cell.row_group, cell.column, limits)
    if cell.row >= len(images):
        raise BadImage("unreadable_file", f"no row {cell.row}: it has changed since it was listed")
    value = images[cell.row]
    if not value.is_valid:
        raise BadImage("null_cell")
    buffer = (value.value if isinstance(value, pa.DictionaryScalar) else value).as_buffer()
    check_bytes(buffer.size, max_bytes)
    return buffer.to_pybytes()


@lru_cache(maxsize=2)
def _row_group_images(
    path: str, version: tuple[int, ...], row_group: int, column: str, limits: Limits
) -> pa.ChunkedArray:
    """`version` is only part of the cache's key."""
    with open_file(path) as opened:
        file = opened_parquet(opened, limits)
        if row_group >= file.num_row_groups or column not in file.schema_arrow.names:
            raise BadImage("unreadable_source", f"no row group {row_group} with {column!r}: it has changed since")
        check_row_group(file, row_group, limits)
        leaf = _leaf(file.schema_arrow, column)
        may_repeat = repeated_bytes(opened, row_group, [column], limits) > REPEATED_BYTES
        images = _row_by_row(file, row_group, leaf) if may_repeat else None
        if may_repeat and images is None:
            file = pq.ParquetFile(opened, read_dictionary=[leaf])
        return _bytes_of(file.read_row_group(row_group, columns=[leaf]).column(0) if images is None else images)


def _row_by_row(file: pq.ParquetFile, row_group: int, leaf: str) -> pa.ChunkedArray | None:
    """The column; None once it has grown beyond what its row group says it holds, because values are repeated."""
    room = file.metadata.row_group(row_group).total_byte_size + REPEATED_BYTES
    rows: list[pa.Array] = []
    for batch in file.iter_batches(batch_size=1, row_groups=[row_group], columns=[leaf]):
        room -= batch.nbytes
        if room < 0:
            return None
        rows.append(batch.column(0))
    return pa.chunked_array(rows) if rows else None
