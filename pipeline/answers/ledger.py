"""The ledger: every answer the models gave, in append-only Parquet parts, so that no answer is paid for twice.

    OUT/ledger/captions/<fingerprint>/part-<range>-<hash>.parquet
    OUT/ledger/translations/<language>/<fingerprint>/part-<range>-<hash>.parquet
    OUT/ledger/scores/<what>/<fingerprint>/part-<range>-<hash>.parquet       what: "quality", ...
    OUT/ledger/damaged/...                                    parts that could not be read, kept for a look

Parts of one range of keys each (`ranges.py`), so that a worker reads the answers about its images and no others; one
of an earlier version, `part-<hash>.parquet`, is of all keys. One part per batch of answers and range, named by the
hash of its bytes: a batch that Beam retries with the same answers lands on the same file, and a part whose bytes
changed on disk no longer fits its name and is set aside before anything tries to parse it. The price is a hash of every
byte on each read (about a second per GB) and, until `compact`, many small files.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from florenz.pipeline.answers.parts import DamagedPart, in_order, parse_part, part_name, part_range, write_parts
from florenz.pipeline.answers.score_rows import IDENTITY as SCORE_IDENTITY
from florenz.pipeline.answers.score_rows import SCHEMA as SCORE_SCHEMA
from florenz.pipeline.answers.score_rows import Identity, ScoreRow, Scores
from florenz.pipeline.ranges import overlap
from florenz.stores import files
from florenz.stores.together import REQUESTS_IN_FLIGHT, together

WIDE_PARTS = 256  # that are split together: of all keys, so the more, the larger what stands in memory
LISTINGS_PER_READ = 5  # another run may compact the folder between our listing and our read


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionRow:
    """The captioner's answer for one image and style: a text, or the reason why this image has none. scores: what
    scorers say of the text, which lies in their folders.
    """

    key: str
    style: str
    text: str | None
    finish_reason: str = ""
    reason: str = ""
    detail: str = ""
    scores: Scores = ()

    def __post_init__(self) -> None:
        _check_answer(self.text, self.reason, f"caption of {self.key}, {self.style}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationRow:
    """A translator's answer for one English caption: a text, or the reason why this caption has none.

    A rephraser's answer is one too: its source text is the translation that it was shown, in the same language.

    number: which of the language's translators gave it; it lies in that one's folder, and in no column. rephrasing:
    what a rephraser made of the text, which lies in that one's folder. scores: as in `CaptionRow`.
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
    rephrasing: "TranslationRow | None" = None
    scores: Scores = ()

    def __post_init__(self) -> None:
        _check_answer(self.text, self.reason, f"{self.language} translation of {self.key}, {self.style}")


Row = TypeVar("Row", CaptionRow, TranslationRow, ScoreRow)


def _schema(*names: str) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string(), nullable=name == "text") for name in names])


CAPTION_SCHEMA = _schema("key", "style", "text", "finish_reason", "reason", "detail")
TRANSLATION_SCHEMA = _schema("key", "style", "language", "source_text", "text", "finish_reason", "reason", "detail")
SCHEMAS = {"captions": CAPTION_SCHEMA, "translations": TRANSLATION_SCHEMA, "scores": SCORE_SCHEMA}

# What an answer answers. A translation belongs to the English text it was made from, not to the image alone: with
# a new captioner, the old captioner's translations are still there and must not pass for the new caption's.
IDENTITY = {"captions": ("key", "style"), "translations": ("key", "style", "source_text"), "scores": SCORE_IDENTITY}


class Ledger:
    """The ledger below one OUT (local, gs:// or s3://). `damaged` collects a line for each part set aside.

    digits: of the ranges that parts are written for; 0 for one range of all keys. Parts of any are read.
    listed: folder -> parts, where somebody has listed them already; a listing of thousands for each range would cost
    more than reading.
    """

    def __init__(self, out: str, digits: int = 0, listed: Mapping[str, Sequence[str]] | None = None) -> None:
        self.out, self.folder = out, files.join(out, "ledger")
        self.digits, self._listed = digits, listed
        self.damaged: list[str] = []

    def append_captions(self, fingerprint: str, rows: Iterable[CaptionRow]) -> list[str]:
        """Write a part for each range and return their paths; no rows, no part."""
        return write_parts(self._captions(fingerprint), _table(rows, CAPTION_SCHEMA), self.digits)

    def append_translations(self, language: str, fingerprint: str, rows: Iterable[TranslationRow]) -> list[str]:
        """The same for translations. `ValueError` for a row in another language."""
        rows = list(rows)
        strangers = sorted({row.language for row in rows} - {language})
        if strangers:
            raise ValueError(f"rows in {', '.join(strangers)} were handed to the ledger of {language}")
        return write_parts(self._translations(language, fingerprint), _table(rows, TRANSLATION_SCHEMA), self.digits)

    def append_scores(self, what: str, fingerprint: str, rows: Iterable[ScoreRow]) -> list[str]:
        """The same for what a scorer said."""
        return write_parts(self._scores(what, fingerprint), _table(rows, SCORE_SCHEMA), self.digits)

    def read_captions(self, fingerprint: str, within: str = "") -> dict[tuple[str, str], CaptionRow]:
        """(key, style) -> answer, of the keys of one range. Of several answers, one with a text wins, then the smallest
        by content.
        """
        table = self._read(self._captions(fingerprint), "captions", within)
        return {(row.key, row.style): row for row in _rows(table, CaptionRow)}

    def read_translations(
        self, language: str, fingerprint: str, within: str = ""
    ) -> dict[tuple[str, str, str], TranslationRow]:
        """(key, style, source text) -> answer; of several answers, the same one wins as in `read_captions`."""
        table = self._read(self._translations(language, fingerprint), "translations", within)
        return {(row.key, row.style, row.source_text): row for row in _rows(table, TranslationRow)}

    def read_scores(self, what: str, fingerprint: str, within: str = "") -> dict[Identity, ScoreRow]:
        """By what it is a score of; of several, a number wins, then the smallest."""
        table = self._read(self._scores(what, fingerprint), "scores", within)
        return {row.identity: row for row in _rows(table, ScoreRow)}

    def parts(self) -> dict[str, list[str]]:
        """Each folder that holds parts -> their paths, in order."""
        folders: dict[str, list[str]] = defaultdict(list)
        for kind in SCHEMAS:
            for part in _list_parts(files.join(self.folder, kind)):
                folders[part.rpartition("/")[0]].append(part)
        return dict(folders)

    def folder_of_captions(self, fingerprint: str) -> str:
        return self._captions(fingerprint)

    def folder_of_translations(self, language: str, fingerprint: str) -> str:
        return self._translations(language, fingerprint)

    def folder_of_scores(self, what: str, fingerprint: str) -> str:
        return self._scores(what, fingerprint)

    def scattered(self, max_parts: int = 64, listed: Mapping[str, Sequence[str]] | None = None) -> list[list[str]]:
        """Parts to be merged: those of one folder and range that are more than `max_parts`, and each part of wider
        ranges than are written now. listed: what `parts` has just said.
        """
        together: dict[tuple[str, str], list[str]] = defaultdict(list)
        for folder, parts in (self.parts() if listed is None else listed).items():
            for part in parts:
                together[folder, part_range(part)].append(part)
        found: list[list[str]] = []
        for (_, its_range), parts in together.items():
            if len(its_range) < self.digits:
                found += [parts[start : start + WIDE_PARTS] for start in range(0, len(parts), WIDE_PARTS)]
            elif len(parts) > max_parts:
                found.append(parts)
        return found

    def compact(self, *, max_parts: int = 64) -> int:
        """Merge all that is scattered; return how many ranges were merged."""
        return sum(self.merge(parts) for parts in self.scattered(max_parts))

    def merge(self, parts: Sequence[str]) -> bool:
        """Write the rows of these parts of one folder as one part for each range; whether that was done.

        Only the winning answers are kept, sorted, so the same answers give the same bytes. The new parts are complete
        before an old one goes: killed in between, answers are there twice, which a read resolves.
        """
        folder = parts[0].rpartition("/")[0]
        kind = self._kind(folder)
        try:
            tables = self._load(parts, kind)
        except FileNotFoundError:  # another run is merging these: leave it to that one
            return False
        self._replace_parts(folder, tables, _winners(_concat(tables.values(), kind), kind), self.digits)
        return True

    def forget_captions(self, fingerprint: str, is_dropped: Callable[[CaptionRow], bool], within: str = "") -> int:
        """Drop rows, so that they are asked for again; return how many answers went. within: where such rows are."""
        return self._forget(self._captions(fingerprint), "captions", CaptionRow, is_dropped, within)

    def forget_translations(self, language: str, fingerprint: str, is_dropped: Callable[[TranslationRow], bool]) -> int:
        """As `forget_captions`, in one language."""
        return self._forget(self._translations(language, fingerprint), "translations", TranslationRow, is_dropped)

    def forget_scores(self, what: str, fingerprint: str, is_dropped: Callable[[ScoreRow], bool]) -> int:
        """As `forget_captions`, of one scorer."""
        return self._forget(self._scores(what, fingerprint), "scores", ScoreRow, is_dropped)

    def forget_images(self, keys: Collection[str]) -> int:
        """Drop every answer about these images, of all models; how many went. Part by part, as `_forget`.

        Damaged parts, in which nobody can look for them, go as well.
        """
        dropped, wanted = 0, pa.array(sorted(keys), pa.string())
        for folder, parts in self.parts().items():
            for part, table in self._each(parts, self._kind(folder)):
                kept = table.filter(pc.invert(pc.is_in(table["key"], value_set=wanted)))
                if kept.num_rows < table.num_rows:
                    self._replace_parts(folder, [part], kept, len(part_range(part)))
                    dropped += table.num_rows - kept.num_rows
        for part in files.list_files(files.join(self.folder, "damaged")):
            files.remove(part)
        return dropped

    def _forget(
        self, folder: str, kind: str, row_type: type[Row], is_dropped: Callable[[Row], bool], within: str = ""
    ) -> int:
        """Part by part, the new one before the old one goes: killed in between, some answers are not forgotten yet."""
        dropped = 0
        for part, table in self._each(_about(within, _list_parts(folder)), kind):
            is_kept = [not is_dropped(row) for row in _rows(table, row_type)]
            if not all(is_kept):
                self._replace_parts(folder, [part], table.filter(pa.array(is_kept)), len(part_range(part)))
                dropped += is_kept.count(False)
        return dropped

    def _captions(self, fingerprint: str) -> str:
        return files.join(self.folder, "captions", fingerprint)

    def _translations(self, language: str, fingerprint: str) -> str:
        return files.join(self.folder, "translations", language, fingerprint)

    def _scores(self, what: str, fingerprint: str) -> str:
        return files.join(self.folder, "scores", what, fingerprint)

    def _kind(self, folder: str) -> str:
        return _below(self.folder, folder).split("/")[0]

    def _read(self, folder: str, kind: str, within: str) -> pa.Table:
        """Winning answers about a range; listed anew when a part vanished, because another run compacted it."""
        for listing in range(LISTINGS_PER_READ):
            all_parts = _list_parts(folder) if listing or self._listed is None else self._listed.get(folder, ())
            try:
                found = _concat(self._load(_about(within, all_parts), kind).values(), kind)
                return _winners(found.filter(pc.starts_with(found["key"], within)) if within else found, kind)
            except FileNotFoundError:
                if listing == LISTINGS_PER_READ - 1:
                    raise
        raise AssertionError("unreachable: the loop returns or raises")

    def _each(self, parts: Sequence[str], kind: str) -> Iterator[tuple[str, pa.Table]]:
        """Part and rows, as `_load` gives them, with a few in memory at a time."""
        for start in range(0, len(parts), REQUESTS_IN_FLIGHT):
            yield from self._load(parts[start : start + REQUESTS_IN_FLIGHT], kind).items()

    def _load(self, parts: Sequence[str], kind: str) -> dict[str, pa.Table]:
        """Part -> its rows; damaged parts are set aside and left out. `FileNotFoundError` if one vanished."""
        tables: dict[str, pa.Table] = {}
        for part, content in zip(parts, together(files.read_bytes, parts, parts), strict=True):
            try:
                tables[part] = parse_part(part, content, SCHEMAS[kind])
            except DamagedPart as problem:
                self._set_aside(part, content, str(problem))
        return tables

    def _replace_parts(self, folder: str, parts: Iterable[str], table: pa.Table, digits: int) -> None:
        """Put these rows in the place of the parts: the new ones first, and none is removed as one of the old."""
        new = {part_name(path) for path in write_parts(folder, table, max(digits, self.digits))}
        for part in parts:
            if part_name(part) not in new:
                files.remove(part)

    def _set_aside(self, part: str, content: bytes, problem: str) -> None:
        aside = files.join(self.folder, "damaged", _below(self.folder, part))
        with files.atomic_write(aside) as file:
            file.write(content)
        files.remove(part)
        self.damaged.append(f"ledger part {part} is damaged ({problem}): moved to {aside}; its answers are asked again")


def _check_answer(text: str | None, reason: str, what: str) -> None:
    if (text is None) != bool(reason):
        raise ValueError(f"{what}: an answer is a text or a reason, got text={text!r}, reason={reason!r}")


def _below(folder: str, path: str) -> str:
    """The path relative to a folder above it, with forward slashes."""
    return path.removeprefix(files.join(folder, ""))


def _list_parts(folder: str) -> list[str]:
    return [path for path in files.list_files(folder) if path.endswith(".parquet")]


def _about(within: str, parts: Iterable[str]) -> list[str]:
    """Those parts that may hold a key of this range."""
    return [part for part in parts if overlap(part_range(part), within)]


def _table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    rows = list(rows)
    columns = {one.name: _column([getattr(row, one.name) for row in rows], one.type) for one in schema}
    return pa.table(columns, schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # half an emoji from a JSON answer: a "?" in one text, or the whole batch is lost
        return pa.array([value and value.encode("utf-8", "replace").decode() for value in values], pa.string())


def _rows(table: pa.Table, row: type[Row]) -> Iterable[Row]:
    names = [field.name for field in fields(row) if field.name in table.column_names]
    columns = [table[name].to_pylist() for name in names]
    return (row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True))


def _concat(tables: Iterable[pa.Table], kind: str) -> pa.Table:
    return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables])


def _winners(table: pa.Table, kind: str) -> pa.Table:
    """One answer for each thing asked, sorted: the first. Schemas hold identity, then text, so a text comes first."""
    if table.num_rows < 2:
        return table
    table = in_order(table)
    is_repeat = None
    for name in IDENTITY[kind]:
        column = table[name].combine_chunks()
        same = pc.equal(column[1:], column[:-1])
        is_repeat = same if is_repeat is None else pc.and_(is_repeat, same)
    return table.filter(pa.concat_arrays([pa.array([True]), pc.invert(is_repeat)]))
