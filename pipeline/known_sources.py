"""What was found in files that have not changed since: they are not read again. OUT/ledger/sources.parquet.

A listing says of each file whether it has changed (`Entry.stamp`: size and times of a local file, ETag and time of an
object). A change within the step of a file's clock would not show there, so a file that was written shortly before it
was listed has no stamp and is read again by the next run, as git does with its index. Nor is kept what may pass: a file
that could not be read. Another limit, or another version of the code that reads, makes all of it unknown.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.references import uri_of
from florenz.images.sources import SourceFile
from florenz.pipeline.assemble.code import code_checksum
from florenz.stores import files

FOUND = pa.schema([(name, pa.string()) for name in ("source", "key", "reason", "detail", "about")])
"""source: URI of an image or of what is none. key: "" for the latter. reason, detail: why it is none; the detail of an
image is what is wrong with its bytes. about: what its sidecar says (`about_text`).
"""

_SCHEMA = pa.schema([("path", pa.string()), ("stamp", pa.string()), *FOUND])
_READERS = ("florenz.images.sources", "florenz.images.proof")
PASSING = pa.array(["unreadable_file", "unreadable_source"])
_PRINT = b"florenz_readers"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a source as they were listed. stamps: quoted path -> stamp, in the order of the paths."""

    stamps: Mapping[str, str]
    readers: str

    @property
    def is_stamped(self) -> bool:
        return all(self.stamps.values())

    def digest(self) -> str:
        """Stands for all that decides what is found, as long as all files have stamps."""
        digest = hashlib.sha256(self.readers.encode())
        for path, stamp in self.stamps.items():
            digest.update(f"\n{path}\t{stamp}".encode())
        return digest.hexdigest()


def listing_of(sources: Sequence[SourceFile], *, rules: str) -> Listing:
    """rules: all of the recipe that decides what is found in a file."""
    return Listing(
        stamps={uri_of(source.path): source.stamp for source in sources},
        readers=f"{code_checksum(_READERS)} {rules}",
    )


def known_rows(out: str, listing: Listing) -> pa.Table:
    """Rows (path, stamp, and FOUND) of those files that have not changed; a source with nothing in it has one row."""
    try:
        table = pq.read_table(io.BytesIO(files.read_bytes(known_sources_path(out))))
    except (FileNotFoundError, pa.ArrowException, OSError):
        return _SCHEMA.empty_table()
    if (table.schema.metadata or {}).get(_PRINT) != listing.readers.encode() or table.column_names != _SCHEMA.names:
        return _SCHEMA.empty_table()
    table = table.replace_schema_metadata(None)
    stamps = pa.array([listing.stamps.get(path, "") for path in table["path"].to_pylist()], pa.string())
    return table.filter(pc.and_(pc.equal(table["stamp"], stamps), pc.not_equal(stamps, "")))


def keep_rows(out: str, listing: Listing, rows: pa.Table) -> None:
    """Write down what all files of the listing hold. rows: (path, stamp, and FOUND)."""
    passing = pc.unique(rows.filter(pc.is_in(rows["reason"], value_set=PASSING))["path"])
    is_kept = pc.and_(pc.not_equal(rows["stamp"], ""), pc.invert(pc.is_in(rows["path"], value_set=passing)))
    table = rows.filter(is_kept).sort_by([("path", "ascending"), ("source", "ascending")])
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_PRINT: listing.readers.encode()}), buffer, compression="zstd")
    with files.atomic_write(known_sources_path(out)) as file:
        file.write(buffer.getbuffer())


def with_paths(found: pa.Table, listing: Listing, changed: Sequence[SourceFile]) -> pa.Table:
    """Rows of FOUND with path and stamp, and a row for each changed file in which nothing was found."""
    paths = [uri.partition("?")[0] for uri in found["source"].to_pylist()]
    seen = set(paths)
    silent = [path for path in map(uri_of, (source.path for source in changed)) if path not in seen]
    empty = pa.table({name: [""] * len(silent) for name in FOUND.names}, schema=FOUND)
    all_paths = paths + silent
    columns = {"path": all_paths, "stamp": [listing.stamps.get(path, "") for path in all_paths]}
    both = pa.concat_tables([found.select(FOUND.names), empty])
    return pa.table({**columns, **{name: both[name] for name in FOUND.names}}, schema=_SCHEMA)


def known_sources_path(out: str) -> str:
    return files.join(out, "ledger", "sources.parquet")
