"""The ledger: every answer the models gave, in append-only Parquet parts, so that no answer is paid for twice.

    OUT/ledger/captions/<fingerprint>/part-<hash>.parquet
    OUT/ledger/translations/<language>/<fingerprint>/part-<hash>.parquet
    OUT/ledger/damaged/...                                    parts that could not be read, kept for a look

One part per batch of answers, named by the hash of its bytes: a batch that Beam retries with the same answers lands
on the same file, and a part whose bytes changed on disk no longer fits its name and is set aside before anything
tries to parse it. The price is a hash of every byte on each read (about a second per GB) and, until `compact`,
many small files.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.stores import files

READS_IN_FLIGHT = 16  # parts are small: on an object store the time goes into round trips
LISTINGS_PER_READ = 5  # another run may compact the folder between our listing and our read


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionRow:
    """The captioner's answer for one image and style: a text, or the reason why this image has none."""

    key: str
    style: str
    text: str | None
    finish_reason: str = ""
    reason: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        _check_answer(self.text, self.reason, f"caption of {self.key}, {self.style}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationRow:
    """A translator's answer for one English caption: a text, or the reason why this caption has none.

    number: which of the language's translators gave it; it lies in that one's folder, and in no column.
    """

    key: str
    style: str
    language: str
    source_text: str
    text: str | None
    finish_reason: str = ""
    reason: str = ""
    detail: str = ""
    number: int = 0

    def __post_init__(self) -> None:
        _check_answer(self.text, self.reason, f"{self.language} translation of {self.key}, {self.style}")


Row = TypeVar("Row", CaptionRow, TranslationRow)


def _schema(*names: str) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string(), nullable=name == "text") for name in names])


CAPTION_SCHEMA = _schema("key", "style", "text", "finish_reason", "reason", "detail")
TRANSLATION_SCHEMA = _schema("key", "style", "language", "source_text", "text", "finish_reason", "reason", "detail")
SCHEMAS = {"captions": CAPTION_SCHEMA, "translations": TRANSLATION_SCHEMA}

# What an answer answers. A translation belongs to the English text it was made from, not to the image alone: with
# a new captioner, the old captioner's translations are still there and must not pass for the new caption's.
IDENTITY = {"captions": ("key", "style"), "translations": ("key", "style", "source_text")}


class Ledger:
    """The ledger below one OUT (local, gs:// or s3://). `damaged` collects a line for each part set aside."""

    def __init__(self, out: str) -> None:
        self.folder = files.join(out, "ledger")
        self.damaged: list[str] = []

    def append_captions(self, fingerprint: str, rows: Iterable[CaptionRow]) -> str | None:
        """Write one part and return its path; no rows, no part."""
        return _write_part(self._captions(fingerprint), _table(rows, CAPTION_SCHEMA))

    def append_translations(self, language: str, fingerprint: str, rows: Iterable[TranslationRow]) -> str | None:
        """Write one part and return its path; no rows, no part. `ValueError` for a row in another language."""
        rows = list(rows)
        strangers = sorted({row.language for row in rows} - {language})
        if strangers:
            raise ValueError(f"rows in {', '.join(strangers)} were handed to the ledger of {language}")
        return _write_part(self._translations(language, fingerprint), _table(rows, TRANSLATION_SCHEMA))

    def read_captions(self, fingerprint: str) -> dict[tuple[str, str], CaptionRow]:
        """(key, style) -> answer. Of several answers, one with a text wins, then the smallest by content."""
        table = self._read(self._captions(fingerprint), "captions")
        return {(row.key, row.style): row for row in _rows(table, CaptionRow)}

    def read_translations(self, language: str, fingerprint: str) -> dict[tuple[str, str, str], TranslationRow]:
        """(key, style, source text) -> answer; of several answers, the same one wins as in `read_captions`."""
        table = self._read(self._translations(language, fingerprint), "translations")
        return {(row.key, row.style, row.source_text): row for row in _rows(table, TranslationRow)}

    def compact(self, *, max_parts: int = 64) -> int:
        """Merge the parts of each folder that holds more than `max_parts`; return how many folders were merged.

        Only the winning answers are kept, sorted, so the same answers give the same bytes. The new part is complete
        before an old one goes: killed in between, answers are there twice, which a read resolves.
        """
        merged = 0
        for folder, parts in self._folders().items():
            if len(parts) > max_parts:
                kind = self._kind(folder)
                try:
                    tables = self._load(parts, kind)
                except FileNotFoundError:  # another run is merging this folder: leave it to that one
                    continue
                _replace_parts(folder, tables, _winners(_concat(tables.values(), kind), kind))
                merged += 1
        return merged

    def forget_captions(self, fingerprint: str, is_dropped: Callable[[CaptionRow], bool]) -> int:
        """Drop rows, so that they are asked for again; return how many answers went."""
        return self._forget(self._captions(fingerprint), "captions", CaptionRow, is_dropped)

    def forget_translations(self, language: str, fingerprint: str, is_dropped: Callable[[TranslationRow], bool]) -> int:
        """As `forget_captions`, in one language."""
        return self._forget(self._translations(language, fingerprint), "translations", TranslationRow, is_dropped)

    def forget_images(self, keys: Collection[str]) -> int:
        """Drop every answer about these images, of all models; how many went. Part by part, as `_forget`.

        Damaged parts, in which nobody can look for them, go as well.
        """
        dropped, wanted = 0, pa.array(sorted(keys), pa.string())
        for folder, parts in self._folders().items():
            for part in parts:
                for table in self._load([part], self._kind(folder)).values():
                    kept = table.filter(pc.invert(pc.is_in(table["key"], value_set=wanted)))
                    if kept.num_rows < table.num_rows:
                        _replace_parts(folder, [part], kept)
                        dropped += table.num_rows - kept.num_rows
        for part in files.list_files(files.join(self.folder, "damaged")):
            files.remove(part)
        return dropped

    def _forget(self, folder: str, kind: str, row_type: type[Row], is_dropped: Callable[[Row], bool]) -> int:
        """Part by part, the new one before the old one goes: killed in between, some answers are not forgotten yet."""
        dropped = 0
        for part, table in self._load(_list_parts(folder), kind).items():
            is_kept = [not is_dropped(row) for row in _rows(table, row_type)]
            if not all(is_kept):
                _replace_parts(folder, [part], table.filter(pa.array(is_kept)))
                dropped += is_kept.count(False)
        return dropped

    def _captions(self, fingerprint: str) -> str:
        return files.join(self.folder, "captions", fingerprint)

    def _translations(self, language: str, fingerprint: str) -> str:
        return files.join(self.folder, "translations", language, fingerprint)

    def _folders(self) -> dict[str, list[str]]:
        """Each folder that holds parts, with the parts."""
        folders: dict[str, list[str]] = defaultdict(list)
        for kind in SCHEMAS:
            for part in _list_parts(files.join(self.folder, kind)):
                folders[part.rpartition("/")[0]].append(part)
        return dict(folders)

    def _kind(self, folder: str) -> str:
        return _below(self.folder, folder).split("/")[0]

    def _read(self, folder: str, kind: str) -> pa.Table:
        """All winning answers of a folder; listed anew when a part vanished, because another run compacted it."""
        for listing in range(LISTINGS_PER_READ):
            try:
                return _winners(_concat(self._load(_list_parts(folder), kind).values(), kind), kind)
            except FileNotFoundError:
                if listing == LISTINGS_PER_READ - 1:
                    raise
        raise AssertionError("unreachable: the loop returns or raises")

    def _load(self, parts: Collection[str], kind: str) -> dict[str, pa.Table]:
        """Part -> its rows; damaged parts are set aside and left out. `FileNotFoundError` if one vanished."""
        tables: dict[str, pa.Table] = {}
        with ThreadPoolExecutor(READS_IN_FLIGHT) as pool:
            for part, content in zip(parts, pool.map(files.read_bytes, parts), strict=True):
                try:
                    tables[part] = _parse_part(part, content, SCHEMAS[kind])
                except DamagedPart as problem:
                    self._set_aside(part, content, str(problem))
        return tables

    def _set_aside(self, part: str, content: bytes, problem: str) -> None:
        aside = files.join(self.folder, "damaged", _below(self.folder, part))
        with files.atomic_write(aside) as file:
            file.write(content)
        files.remove(part)
        self.damaged.append(f"ledger part {part} is damaged ({problem}): moved to {aside}; its answers are asked again")


class DamagedPart(ValueError):
    """The bytes of a part are not those that were written, or not a part of this ledger."""


def _check_answer(text: str | None, reason: str, what: str) -> None:
    if (text is None) != bool(reason):
        raise ValueError(f"{what}: an answer is a text or a reason, got text={text!r}, reason={reason!r}")


def _below(folder: str, path: str) -> str:
    """The path relative to a folder above it, with forward slashes."""
    return path.removeprefix(files.join(folder, ""))


def _list_parts(folder: str) -> list[str]:
    return [path for path in files.list_files(folder) if path.endswith(".parquet")]


def _table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    rows = list(rows)
    return pa.table({name: _column([getattr(row, name) for row in rows]) for name in schema.names}, schema=schema)


def _column(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half an emoji from a JSON answer: a "?" in one text, or the whole batch is lost
        return pa.array([value and value.encode("utf-8", "replace").decode() for value in values], pa.string())


def _rows(table: pa.Table, row: type[Row]) -> Iterable[Row]:
    names = [field.name for field in fields(row) if field.name in table.column_names]
    columns = [table[name].to_pylist() for name in names]
    return (row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True))


def _concat(tables: Iterable[pa.Table], kind: str) -> pa.Table:
    return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables])


def _sorted(table: pa.Table) -> pa.Table:
    """Rows in the one order that their content decides: by all columns from the left, a missing text last."""
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _winners(table: pa.Table, kind: str) -> pa.Table:
    """One answer for each thing asked, sorted: the first. Schemas hold identity, then text, so a text comes first."""
    if table.num_rows < 2:
        return table
    table = _sorted(table)
    is_repeat = None
    for name in IDENTITY[kind]:
        column = table[name].combine_chunks()
        same = pc.equal(column[1:], column[:-1])
        is_repeat = same if is_repeat is None else pc.and_(is_repeat, same)
    return table.filter(pa.concat_arrays([pa.array([True]), pc.invert(is_repeat)]))


def _write_part(folder: str, table: pa.Table) -> str | None:
    """Write the rows as one part, sorted, under the hash of its bytes; the path, or None for no rows."""
    if not table.num_rows:
        return None
    buffer = io.BytesIO()
    pq.write_table(_sorted(table), buffer, compression="zstd")
    content = buffer.getvalue()
    path = files.join(folder, f"part-{_digest(content)}.parquet")
    with files.atomic_write(path) as file:
        file.write(content)
    return path


def _replace_parts(folder: str, parts: Iterable[str], table: pa.Table) -> None:
    """Put these rows in the place of the parts: the new part first, and never remove it as one of the old."""
    new = _write_part(folder, table)
    for part in parts:
        if new is None or _name(part) != _name(new):
            files.remove(part)


def _parse_part(path: str, content: bytes, schema: pa.Schema) -> pa.Table:
    if _name(path) != f"part-{_digest(content)}.parquet":
        raise DamagedPart("its bytes do not fit the hash in its name")
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()  # pq.read_table takes twice as long for a small part
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise DamagedPart(f"not a readable Parquet file: {problem}") from problem
    if not table.schema.equals(schema):
        raise DamagedPart(f"its columns are {table.column_names}, not {schema.names}")
    return table


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
