"""What was found in files that have not changed since: they are not read again. OUT/ledger/found/<group>.parquet.

A listing says of each file whether it has changed (`Entry.stamp`: size and times of a local file, ETag and time of an
object). A change within the step of a file's clock would not show there, so a file that was written shortly before it
was listed has no stamp and is read again by the next run, as git does with its index. Nor is believed what may pass: a
file that could not be read. Another limit, or another version of the code that reads, makes all of it unknown.

Files are kept in groups, by the hash of their path, so that no process holds what is in all of them. One group may hold
a huge tar with all of its members: its rows are written and read some at a time.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.references import uri_of
from florenz.pipeline.assemble.code import code_checksum
from florenz.pipeline.listing import Listing, Part, packed_files
from florenz.stores import files
from florenz.stores.tables import read_in_pieces, read_schema

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
ROWS_AT_ONCE = 1 << 13  # some 8 MB; a huge tar has millions


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
        here: set[str] = set()
        for row in _rows_of(path, readers, stamps, needed):
            here.add(row[0])
            if row[0] not in known:
                yield group.name, row if row[KEY] not in removed else silent(row[0], row[1])
        known |= here
    changed = [source for uri, source in listed if uri not in known]
    yield from (beam.pvalue.TaggedOutput(CHANGED, some) for some in packed_files(changed))


def silent(path: str, stamp: str) -> Row:
    """Says that a file is known, and of nothing in it."""
    return (path, stamp, *[""] * (len(FOUND) - 2))


def write_found(folder: str, group: str, rows: Iterable[Row], readers: str) -> int:
    """Keep what all files of a group hold, in order as far as rows are held at once; how many of it may be images."""
    num_images, told, rows = 0, set[Row](), iter(rows)
    schema, buffer = FOUND.with_metadata({_PRINT: readers}), io.BytesIO()
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
        while some := set(islice(rows, ROWS_AT_ONCE)):
            new = sorted(some - told)
            columns = {name: [row[number] for row in new] for number, name in enumerate(FOUND.names)}
            table = pa.table(columns, schema=schema)
            writer.write_table(table)
            num_images += pc.sum(pc.not_equal(table["key"], "")).as_py() or 0
            told |= {row for row in some if row == silent(*row[:2])}  # one for a file, however much was removed from it
    with files.atomic_write(found_path(folder, group)) as file:
        file.write(buffer.getbuffer())
    return num_images


def read_found(folder: str, group: str) -> Iterator[Row]:
    """Rows of FOUND in which something was found, without path and stamp."""
    for table in read_in_pieces(files.read_bytes(found_path(folder, group)), ROWS_AT_ONCE):
        found = table.filter(pc.not_equal(table["source"], "")).select(FOUND.names[2:])
        yield from zip(*(column.to_pylist() for column in found.columns), strict=True)


def _rows_of(path: str, readers: str, stamps: Mapping[str, str], needed: Collection[str]) -> Iterator[Row]:
    """Those of files that have not changed, and of which nothing is said that may pass."""
    try:
        content = files.read_bytes(path)
        if (read_schema(content).metadata or {}).get(_PRINT) != readers.encode():
            return
        # Gone through twice: a file is known by all of its rows or by none, and so is one in which a part is damaged.
        passing = {path for table in _pieces(content) for path in _passing(table, needed)}
    except (FileNotFoundError, pa.ArrowException, OSError):
        return
    for table in _pieces(content):
        current = pa.array([stamps.get(path, "") for path in table["path"].to_pylist()], pa.string())
        is_known = pc.and_(pc.equal(table["stamp"], current), pc.not_equal(current, ""))
        of_passing = pc.is_in(table["path"], value_set=pa.array(passing, pa.string()))
        table = table.filter(pc.and_(is_known, pc.invert(of_passing)))
        yield from zip(*(column.to_pylist() for column in table.columns), strict=True)


def _pieces(content: bytes) -> Iterator[pa.Table]:
    """As FOUND has it, of earlier versions too; nothing of what is another table."""
    for table in read_in_pieces(content, ROWS_AT_ONCE):
        for name in set(LATER) - set(table.column_names):
            table = table.append_column(name, pa.array([""] * table.num_rows, pa.string()))
        if set(table.column_names) == set(FOUND.names):
            yield table.select(FOUND.names)


def _passing(table: pa.Table, needed: Collection[str]) -> list[str]:
    """Paths of files of which something is said that may pass, or not all is that is needed."""
    is_passing = pc.is_in(table["reason"], value_set=PASSING)
    for name in needed:
        is_passing = pc.or_(is_passing, pc.and_(pc.not_equal(table["key"], ""), pc.equal(table[name], "")))
    found: list[str] = pc.unique(table.filter(is_passing)["path"]).to_pylist()
    return found


def _name_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".parquet")


def _path_before(out: str) -> str:
    """Where earlier versions kept all of it."""
    return files.join(out, "ledger", "sources.parquet")
