"""Columns beside the image bytes of a Parquet file: url, licence and alt text, as sidecars have them (`sidecars.py`).

Columns of text are read as dictionaries: one value that a million rows repeat is in memory once. All of a row group
together may unpack to as much as one page of pictures; what is beyond that, or damaged, says nothing, and costs no
picture.
"""

import codecs
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.bad_image import BadImage
from florenz.images.parquet_files import check_row_group, opened_parquet, parquet_faults, version_of
from florenz.images.parquet_pages import NotThrift, check_texts
from florenz.images.references import Cell
from florenz.images.sidecars import NAMES, About, about_of
from florenz.images.source_files import file_faults, open_file
from florenz.limits.table import Limits

WORDS = {name for names in NAMES.values() for name in names}


def cell_about(path: str, cell: Cell, limits: Limits = Limits()) -> About:  # noqa: B008 - frozen
    """What the row of an image says about it. Raises BadImage for a file that has gone, OSError for no network."""
    with file_faults():
        version = version_of(path)
    columns = _row_group_texts(path, version, cell.row_group, cell.column, limits)
    return about_of(
        {
            name: _text(column[cell.row], limits.sidecar_bytes)
            for name, column in columns.items()
            if cell.row < len(column)
        }
    )


@lru_cache(maxsize=2)
def _row_group_texts(
    path: str, version: tuple[int, ...], row_group: int, image_column: str, limits: Limits
) -> Mapping[str, pa.ChunkedArray]:
    """Column -> its cells; none of them where they can't be read. `version` is only part of the cache's key."""
    try:
        with parquet_faults(), file_faults(), open_file(path) as opened:
            file = opened_parquet(opened, limits)
            names = _text_columns(file.schema_arrow, image_column)
            if not names or row_group >= file.num_row_groups:
                return {}
            check_row_group(file, row_group, limits)
            check_texts(opened, row_group, names, limits)
            table = pq.ParquetFile(opened, read_dictionary=names).read_row_group(row_group, columns=names)
            return dict(zip(table.column_names, table.columns, strict=True))
    except (BadImage, NotThrift):
        return {}


def _text_columns(schema: pa.Schema, image_column: str) -> list[str]:
    """Those of text with a name of WORDS, in any case; a name that is there twice is none: which would be meant?"""
    names = schema.names
    times = Counter(name.lower() for name in names)
    found = [name for name in names if name.lower() in WORDS and times[name.lower()] == 1 and name != image_column]
    return [name for name in found if _is_text(schema.field(name).type)]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text(cell: pa.Scalar, max_bytes: int) -> str:
    """Its beginning, as long as a sidecar may be; "" for null, and for no UTF-8, which Parquet does not check."""
    value = cell.value if isinstance(cell, pa.DictionaryScalar) else cell
    if not cell.is_valid or not value.is_valid:
        return ""
    buffer = value.as_buffer()
    try:
        return codecs.utf_8_decode(buffer[:max_bytes].to_pybytes(), "strict", buffer.size <= max_bytes)[0]
    except UnicodeDecodeError:
        return ""
