"""Parts of the ledger: Parquet files of answers in one order, named by the range of keys and a hash of their bytes.

What a part is called says whether it is whole, before anything parses it.
"""

import hashlib
import io
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.pipeline.ranges import range_of
from florenz.stores import files
from florenz.stores.tables import read_table

PART_NAME = re.compile(r"part-(?:([0-9a-f]+)-)?[0-9a-f]{32}\.parquet")


class DamagedPart(ValueError):
    """The bytes of a part are not those that were written, or not a part of this ledger."""


def write_parts(folder: str, table: pa.Table, digits: int) -> list[str]:
    """Write the rows, sorted, as one part for each range, under the hash of its bytes; the paths, none for no rows."""
    if not table.num_rows or not digits:
        return [_write_part(folder, "", table)] if table.num_rows else []
    ranges = pa.array([range_of(key, digits) for key in table["key"].to_pylist()])
    return [_write_part(folder, one, table.filter(pc.equal(ranges, one))) for one in sorted(set(ranges.to_pylist()))]


def _write_part(folder: str, its_range: str, table: pa.Table) -> str:
    buffer = io.BytesIO()
    pq.write_table(in_order(table), buffer, compression="zstd")
    content = buffer.getvalue()
    path = files.join(folder, f"part-{its_range}{'-' if its_range else ''}{_digest(content)}.parquet")
    with files.atomic_write(path) as file:
        file.write(content)
    return path


def in_order(table: pa.Table) -> pa.Table:
    """Rows in the one order that their content decides: by all columns from the left, a missing text last."""
    return table.sort_by([(name, "ascending") for name in table.column_names])


def part_range(path: str) -> str:
    """Of the keys in this part; "" for one of all keys, as earlier versions wrote them, and for a strange file."""
    match = PART_NAME.fullmatch(part_name(path))
    return (match.group(1) or "") if match else ""


def is_whole(path: str, content: bytes) -> bool:
    """Whether these are the bytes that were written under this name."""
    return bool(PART_NAME.fullmatch(part_name(path))) and path.endswith(f"-{_digest(content)}.parquet")


def parse_part(path: str, content: bytes, schema: pa.Schema) -> pa.Table:
    if not is_whole(path, content):
        raise DamagedPart("its bytes do not fit the hash in its name")
    try:
        table = read_table(content)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise DamagedPart(f"not a readable Parquet file: {problem}") from problem
    if not table.schema.equals(schema):
        raise DamagedPart(f"its columns are {table.column_names}, not {schema.names}")
    return table


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def part_name(path: str) -> str:
    return path.rpartition("/")[2]
