"""What was found in files that have not changed since: they are not read again. OUT/ledger/found/<group>.parquet.

A listing says of each file whether it has changed (`Entry.stamp`: size and times of a local file, ETag and time of an
object). A change within the step of a file's clock would not show there, so a file that was written shortly before it
was listed has no stamp and is read again by the next run, as git does with its index. Nor is believed what may pass: a
file that could not be read. Another limit, or another version of the code that reads, makes all of it unknown.

Files are kept in groups, by the hash of their path, so that no process holds what is in all of them.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.references import uri_of
from florenz.pipeline.assemble.code import code_checksum
from florenz.pipeline.listing import Listing, Part, packed_files
from florenz.stores import files
from florenz.stores.tables import read_table

SIZE, LIKENESS = "size", "likeness"
LATER = (SIZE, LIKENESS)  # made another way, it takes another name: what is kept under the old one is then made anew
_NAMES = ("path", "stamp", "source", "key", "reason", "detail", "about", *LATER)
FOUND = pa.schema([(name, pa.string()) for name in _NAMES])
"""path, stamp: of the file. source: URI of an image or of what is none, "" in the one row of a file with nothing in it.
key: "" for what is no image. reason, detail: why it is none; the detail of an image is what is wrong with its bytes.
about: what its sidecar says (`about_text`). size, likeness: of an image, as `size_of` and `likeness_of`; "" where no
recipe wanted to know, as in all tables of earlier versions, which lack these columns.
"""

Row = tuple[str, ...]  # as FOUND
KEY = FOUND.get_field_index("key")
_READERS = ("florenz.images.sources", "florenz.images.proof")
PASSING = pa.array(["unreadable_file", "unreadable_source"])
_PRINT = b"florenz_readers"
CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some files of a source, all whose paths' hashes begin with `name`. part: in which they stand. kept: where what
    was found in them may lie.
    """

    name: str
    part: Part
    kept: tuple[str, ...] = ()


def readers_of(rules: str) -> str:
    """All that decides what is found in a file. rules: what of it stands in the recipe."""
    return f"{code_checksum(_READERS)} {rules}"


def groups_of(out: str, listing: Listing) -> list[Group]:
    """All files, in groups; each with what earlier runs left, which may have had fewer groups, or more."""
    digits, before = listing.digits, _path_before(out)
    everywhere: list[tuple[int, str]] = []
    by_start: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, path in enumerate(kept_files(out)):
        if path == before:
            everywhere.append((number, path))
        else:
            by_start[_name_of(path)[:digits]].append((number, path))
    groups = []
    for name, part in listing.write_parts(out, digits):
        kept = everywhere + [found for length in range(digits + 1) for found in by_start.get(name[:length], ())]
        groups.append(Group(name=name, part=part, kept=tuple(path for _, path in sorted(kept))))
    return groups


def kept_files(out: str) -> list[str]:
    """All in which earlier runs left what they found."""
    return [path for path in (*files.list_files(found_folder(out)), _path_before(out)) if files.exists(path)]


def found_folder(out: str) -> str:
    return files.join(out, "ledger", "found")


def found_path(folder: str, group: str) -> str:
    return files.join(folder, f"{group}.parquet")


def known_or_changed(
    group: Group, readers: str, removed: Collection[str], needed: Collection[str] = ()
) -> Iterator[object]:
    """(group, row) for what is known of its files; under CHANGED, packed, those that have to be read. removed: keys.

    needed: of LATER; a file with an image of which that is not known has to be read as well.
    """
    listed = [(uri_of(source.path), source) for source in group.part.files()]
    stamps = {uri: source.stamp for uri, source in listed if source.stamp}
    known: set[str] = set()
    for path in group.kept:
        rows = _rows_of(path, readers, stamps, needed)
        for row in rows:
            if row[0] not in known:
                yield group.name, row if row[KEY] not in removed else silent(row[0], row[1])
        known |= {row[0] for row in rows}
    changed = [source for uri, source in listed if uri not in known]
    yield from (beam.pvalue.TaggedOutput(CHANGED, some) for some in packed_files(changed))


def silent(path: str, stamp: str) -> Row:
    """Says that a file is known, and of nothing in it."""
    return (path, stamp, *[""] * (len(FOUND) - 2))


def write_found(folder: str, group: str, rows: Iterable[Row], readers: str) -> int:
    """Keep what all files of a group hold; how many of it may be images."""
    columns = zip(*sorted(set(rows)), strict=True)  # a file has one silent row, however much of it was removed
    table = pa.table(dict(zip(FOUND.names, columns, strict=True)), schema=FOUND.with_metadata({_PRINT: readers}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    with files.atomic_write(found_path(folder, group)) as file:
        file.write(buffer.getbuffer())
    return pc.sum(pc.not_equal(table["key"], "")).as_py() or 0


def read_found(folder: str, group: str) -> pa.Table:
    """Rows of FOUND in which something was found."""
    table = read_table(files.read_bytes(found_path(folder, group)))
    return table.filter(pc.not_equal(table["source"], ""))


def _rows_of(path: str, readers: str, stamps: Mapping[str, str], needed: Collection[str]) -> list[Row]:
    """Those of files that have not changed, and of which nothing is said that may pass."""
    try:
        table = read_table(files.read_bytes(path))
    except (FileNotFoundError, pa.ArrowException, OSError):
        return []
    if (table.schema.metadata or {}).get(_PRINT) != readers.encode():
        return []
    for name in set(LATER) - set(table.column_names):
        table = table.append_column(name, pa.array([""] * table.num_rows, pa.string()))
    if set(table.column_names) != set(FOUND.names):
        return []
    table = table.select(FOUND.names)
    current = pa.array([stamps.get(path, "") for path in table["path"].to_pylist()], pa.string())
    is_passing = pc.is_in(table["reason"], value_set=PASSING)
    for name in needed:
        is_passing = pc.or_(is_passing, pc.and_(pc.not_equal(table["key"], ""), pc.equal(table[name], "")))
    passing = pc.unique(table.filter(is_passing)["path"])
    is_known = pc.and_(pc.equal(table["stamp"], current), pc.not_equal(current, ""))
    table = table.filter(pc.and_(is_known, pc.invert(pc.is_in(table["path"], value_set=passing))))
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _name_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".parquet")


def _path_before(out: str) -> str:
    """Where earlier versions kept all of it."""
    return files.join(out, "ledger", "sources.parquet")
