"""Verdicts on pictures, by key, beside the index: a picture is decoded strictly once, and not in every run.

A key stands for bytes, so a verdict outlives the source that they came from, and every build. The table belongs to one
version of the checks (`images/proof.py`); one of another version, or a damaged one, is made anew. It is for datasets
that a process can hold; in a larger one pictures are proved where their file is read, which is where it has changed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.proof import PROOF
from florenz.limits.reading import read_whole
from florenz.limits.table import TABLE_BYTES
from florenz.stores import files
from florenz.stores.tables import read_table

MAX_VERDICTS = 200_000  # 10 MB in each worker
_SCHEMA = pa.schema([("key", pa.string()), ("damage", pa.string())], {"proof": str(PROOF)})


def proofs_path(out: str) -> str:
    return files.join(out, "ledger", "proofs.parquet")


def read_proofs(out: str) -> dict[str, str]:
    """Key -> what is wrong with the picture, "" for nothing; empty where there is no table that can be believed."""
    path = proofs_path(out)
    try:
        with files.open_read(path) as file:
            content = read_whole(file, TABLE_BYTES, path)
        table = read_table(content, verify=True)
    except (FileNotFoundError, ValueError, OSError, pa.ArrowException):
        return {}
    if not table.schema.equals(_SCHEMA, check_metadata=True):
        return {}
    return dict(zip(table["key"].to_pylist(), table["damage"].to_pylist(), strict=True))


def write_proofs(out: str, verdicts: Mapping[str, str]) -> None:
    """All of them, sorted; the same verdicts give the same bytes."""
    keys = sorted(verdicts)
    table = pa.table({"key": keys, "damage": [verdicts[key] for key in keys]}, schema=_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    with files.atomic_write(proofs_path(out)) as file:
        file.write(buffer.getvalue())
