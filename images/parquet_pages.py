"""How large the pages of a Parquet file will be, by their own headers, before a library unpacks one.

A footer's totals are a claim: 200 KB of zstd hold a page of 2 GiB whatever the footer says of it, and a library
allocates what the page's header says. The headers are read here (Thrift's compact protocol, apache/parquet-format
`parquet.thrift`), all else is skipped; what can't be understood is left to the library, which then says so.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from florenz.limits.errors import check
from florenz.limits.table import Limits

PAGE, CHUNK, RATIO = "[limits] parquet_page_bytes", "[limits] parquet_chunk_bytes", "[limits] parquet_ratio"
FREE_BYTES = 256 << 20  # a chunk may unpack to this much whatever its ratio
HEADER_BYTES, MAX_HEADER_BYTES = 4096, 1 << 20  # of a page; the second where its statistics are long
NAME_BYTES = 1024  # of a column; longer texts are skipped
MAX_DEPTH, MAX_PAGES = 32, 1 << 20
# Field numbers of parquet.thrift: FileMetaData, RowGroup, ColumnChunk, ColumnMetaData,
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
PATH, PACKED_BYTES, DATA_PAGE_OFFSET, DICTIONARY_PAGE_OFFSET = 3, 7, 9, 11
# PageHeader, and DataPageHeader (5) and DataPageHeaderV2 (8) within it.
KIND, UNPACKED_SIZE, PACKED_SIZE, DATA_PAGE, DATA_PAGE_V2 = 1, 2, 3, 5, 8
NUM_VALUES, ENCODING, ENCODING_V2 = 1, 2, 4
DICTIONARY_PAGE, DICTIONARY_ENCODINGS = 2, (2, 8)


class NotThrift(ValueError):
    """Bytes that are not what the compact protocol writes."""


def repeated_bytes(file: BinaryIO, row_group: int, columns: Collection[str], limits: Limits) -> int:
    """What repeating the dictionaries' values for each row would add, at most. Leaves `file` at its start.

    Raises TooLarge for a page or a column chunk that would unpack to more than the limits. 0 where the headers are not
    understood: the library reads the same bytes next, and says what is wrong.
    """
    try:
        return sum(repeated for _, repeated in _walked(file, row_group, columns, limits))
    except NotThrift:
        return 0
    finally:
        file.seek(0)


def check_texts(file: BinaryIO, row_group: int, columns: Collection[str], limits: Limits) -> None:
    """Leaves `file` at its start. Raises TooLarge where these columns unpack to more than one page may, all together,
    and NotThrift where nobody can tell.
    """
    try:
        num_bytes = sum(unpacked for unpacked, _ in _walked(file, row_group, columns, limits))
    finally:
        file.seek(0)
    check(f"{', '.join(columns)}, unpacked,", num_bytes, limits.parquet_page_bytes, "bytes", PAGE)


def _walked(file: BinaryIO, row_group: int, columns: Collection[str], limits: Limits) -> Iterator[tuple[int, int]]:
    """What each chunk of these columns unpacks to, and what its dictionary's values would add if they were repeated."""
    num_bytes = file.seek(0, os.SEEK_END)
    for start, end in _chunks(file, num_bytes, row_group, columns):
        yield _checked_chunk(file, start, min(end, num_bytes), limits)


def _chunks(file: BinaryIO, num_bytes: int, row_group: int, columns: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where the pages of these columns lie, and of the columns within them."""
    file.seek(max(0, num_bytes - 8))
    footer_bytes = int.from_bytes(file.read(8)[:4], "little")
    if not 0 < footer_bytes <= num_bytes - 8:
        raise NotThrift("no footer")
    file.seek(num_bytes - 8 - footer_bytes)
    footer, _ = read_struct(file.read(footer_bytes), 0)
    groups = _list(footer.get(ROW_GROUPS))
    names = [column.encode("utf-8", "surrogateescape") for column in columns]
    for chunk in _list(_field(groups[row_group], COLUMNS)) if row_group < len(groups) else []:
        about = _field(chunk, META_DATA)
        if not (path := _list(_field(about, PATH))) or path[0] not in names:
            continue
        offsets = [_field(about, field) for field in (DATA_PAGE_OFFSET, DICTIONARY_PAGE_OFFSET)]
        starts = [offset for offset in offsets if isinstance(offset, int) and 0 < offset < num_bytes]
        size = _field(about, PACKED_BYTES)
        if starts and isinstance(size, int):
            yield min(starts), min(starts) + max(size, 0)


def _checked_chunk(file: BinaryIO, start: int, end: int, limits: Limits) -> tuple[int, int]:
    """Bytes of its pages, unpacked; and what the dictionary's values would add if they were repeated, at most."""
    allowed = min(limits.parquet_chunk_bytes, FREE_BYTES + limits.parquet_ratio * (end - start))
    key = CHUNK if allowed == limits.parquet_chunk_bytes else RATIO
    num_bytes = dictionary_bytes = num_repeated = 0
    for _ in range(MAX_PAGES):
        if start >= end:
            break
        header, header_bytes = _page_header(file, start)
        unpacked, packed = header.get(UNPACKED_SIZE), header.get(PACKED_SIZE)
        if not isinstance(unpacked, int) or not isinstance(packed, int) or packed < 0:
            raise NotThrift("a page without sizes")
        check(f"a page at byte {start}, unpacked,", unpacked, limits.parquet_page_bytes, "bytes", PAGE)
        num_bytes += max(0, unpacked)
        check(f"a column chunk of {end - start:,} bytes, unpacked,", num_bytes, allowed, "bytes", key)
        if header.get(KIND) == DICTIONARY_PAGE:
            dictionary_bytes = max(dictionary_bytes, unpacked)
        num_repeated += _num_repeated(header)
        start += header_bytes + packed
    return num_bytes, dictionary_bytes * num_repeated


def _num_repeated(page: dict[int, Any]) -> int:
    """Rows of a data page that stand in the dictionary."""
    for kind, encoding in ((DATA_PAGE, ENCODING), (DATA_PAGE_V2, ENCODING_V2)):
        if _field(page.get(kind), encoding) in DICTIONARY_ENCODINGS:
            number = _field(page.get(kind), NUM_VALUES)
            return number if isinstance(number, int) else 0
    return 0


def _page_header(file: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    size = HEADER_BYTES
    while True:
        file.seek(start)
        data = file.read(size)
        try:
            return read_struct(data, 0)
        except NotThrift:
            if len(data) < size or size >= MAX_HEADER_BYTES:
                raise
            size *= 16


def _field(struct: Any, number: int) -> Any:
    return struct.get(number) if isinstance(struct, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# -- the compact protocol ---------------------------------------------------------------------------------------------

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


def read_struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Field number -> value (long texts as None), and where it ends. Raises NotThrift."""
    if depth > MAX_DEPTH:
        raise NotThrift("nested too deep")
    fields: dict[int, Any] = {}
    number = 0
    try:
        while kind := data[at] & 0x0F:
            step = data[at] >> 4
            at += 1
            if step:
                number += step
            else:
                raw, at = _varint(data, at)
                number = _signed(raw)
            if kind in (_TRUE, _FALSE):
                fields[number] = kind == _TRUE
            else:
                fields[number], at = _value(data, at, kind, depth)
        if at >= len(data):
            raise NotThrift("cut short")
        return fields, at + 1
    except IndexError:
        raise NotThrift("cut short") from None


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE, _BYTE):
        return data[at], at + 1
    if kind in (_I16, _I32, _I64):
        raw, at = _varint(data, at)
        return _signed(raw), at
    if kind == _DOUBLE:
        return None, at + 8
    if kind == _BINARY:
        size, at = _varint(data, at)
        return data[at : at + size] if size <= NAME_BYTES else None, at + size
    if kind in (_LIST, _SET):
        return _items(data, at, depth + 1)
    if kind == _STRUCT:
        return read_struct(data, at, depth + 1)
    raise NotThrift(f"a value of kind {kind}")  # a map: parquet.thrift has none


def _items(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    if depth > MAX_DEPTH:
        raise NotThrift("nested too deep")
    size, kind = data[at] >> 4, data[at] & 0x0F
    at += 1
    if size == 15:
        size, at = _varint(data, at)
    if size > len(data) - at:  # each item takes a byte
        raise NotThrift("a list longer than the bytes that are left")
    items = []
    for _ in range(size):
        item, at = _value(data, at, kind, depth)
        items.append(item)
    return items, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise NotThrift("a number of more than 64 bits")


def _signed(raw: int) -> int:
    return (raw >> 1) ^ -(raw & 1)
