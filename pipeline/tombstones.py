"""Images that were taken out for good (`make remove`): their keys, one a line, in OUT/ledger/removed.txt.

A key is a hash of a picture's bytes: it tells nobody what the picture showed, and knows it again wherever it turns up.
Step 1 leaves out what stands here, so that no later run, with any recipe, brings it back.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.stores import files
from florenz.stores.tables import read_table

KEY = re.compile("[0-9a-f]{32}")


def tombstones_path(out: str) -> str:
    return files.join(out, "ledger", "removed.txt")


def read_tombstones(out: str) -> frozenset[str]:
    """The keys; none where nothing was ever removed.

    Raises:
        ValueError: a line that is no key. Going on would bring an image back.
    """
    path = tombstones_path(out)
    try:
        lines = files.read_bytes(path).decode(errors="replace").split("\n")
    except FileNotFoundError:
        return frozenset()
    keys = frozenset(line for line in lines if line)
    if strange := sorted(key for key in keys if not KEY.fullmatch(key)):
        raise ValueError(f"{path} is damaged ({strange[0]!r} is no key): mend that line, or removed images come back")
    return keys


def add_tombstones(out: str, keys: Collection[str]) -> frozenset[str]:
    """All that there are then."""
    found = read_tombstones(out)
    if not found.issuperset(keys):
        found |= set(keys)
        with files.atomic_write(tombstones_path(out)) as file:
            file.write("".join(f"{key}\n" for key in sorted(found)).encode())
    return found


def without(table: pa.Table, keys: Collection[str], column: str = "key") -> pa.Table:
    """The table without the rows of these images."""
    if not keys:
        return table
    return table.filter(pc.invert(pc.is_in(table[column], value_set=pa.array(sorted(keys), pa.string()))))


def drop_rows(path: str, keys: Collection[str]) -> int:
    """Write a Parquet file with a column `key` anew without these images; how many rows went. None without the file."""
    try:
        table = read_table(files.read_bytes(path))
    except FileNotFoundError:
        return 0
    kept = without(table, keys)
    if kept.num_rows < table.num_rows:
        buffer = io.BytesIO()
        pq.write_table(kept, buffer, compression="zstd")  # with its metadata: what it was made from has not changed
        with files.atomic_write(path) as file:
            file.write(buffer.getbuffer())
    return int(table.num_rows - kept.num_rows)
