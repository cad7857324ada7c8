"""Which images show what the recipe withholds: they get translations and no captions, in any language.

What an image shows is nobody's guess here: a Parquet table says it, with a column `concepts` (a list of strings) and
`key` (the image's key) or `source` (the file, relative to IMAGES, as samples have it). The playground writes such a
table beside its pictures; whoever has annotations of photographs can write one for them. An image that the table does
not know may show anything: it gets no captions either.

    OUT/ledger/concepts/<fingerprint>.parquet    the two columns as they were read, named by their content

Workers may be on other machines, so the launcher copies what it has read into OUT; the fingerprint stands in the
assembly and decides the build's name.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.references import relative_uri
from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_whole
from florenz.limits.table import RECORD_BYTES
from florenz.recipes.recipe_file import RecipeError
from florenz.stores import files
from florenz.stores.tables import read_schema, read_table

UNKNOWN = "not in the table"
_LABEL = "[coverage] concepts"


@dataclass(frozen=True, kw_only=True)
class CoverageSettings:
    """[coverage]: what nobody may learn to caption."""

    withheld: tuple[str, ...] = ()
    """Concepts whose images get translations only, spelled as in the table ("turtle", "purple", "red car")."""

    concepts: str = ""
    """The table: a path or URI of a Parquet file. Left out for the playground, which has its own."""

    def __post_init__(self) -> None:
        if blank := [concept for concept in self.withheld if not concept.strip()]:
            raise RecipeError([f"withheld holds {blank[0]!r}: name a concept, or leave it out"])


@dataclass(frozen=True, kw_only=True)
class Withholding:
    """What is withheld, and what the images show. names: the column that names them, "key" or "source"."""

    withheld: tuple[str, ...]
    names: str
    shown: Mapping[str, frozenset[str]]

    def of(self, key: str, source: str, images: str) -> str:
        """What is withheld of an image, comma between; "" for nothing. source: its URI. images: what sources in the
        table are relative to."""
        shown = self.shown.get(key if self.names == "key" else relative_uri(source, images))
        if shown is None:
            return UNKNOWN
        return ", ".join(sorted(concept for concept in set(self.withheld) if concept in shown))

    def warnings(self) -> Iterator[str]:
        for concept in self.withheld:
            if not any(concept in shown for shown in self.shown.values()):
                yield f"[coverage] withheld: no image of the table shows {concept!r}"


def read_withholding(table: str, withheld: tuple[str, ...]) -> Withholding | None:
    """None where nothing is withheld: no table is read then.

    Raises:
        RecipeError: the table can't be read, or is another one.
    """
    if not withheld:
        return None
    names, rows = _read(table)
    return Withholding(withheld=withheld, names=names, shown={name: frozenset(shown) for name, shown in rows})


def fingerprint_of(table: str, withheld: tuple[str, ...]) -> str:
    """16 hex digits of what the table says now; "" where nothing is withheld. Raises RecipeError as above."""
    return _fingerprint(*_read(table)) if withheld else ""


def keep_table(out: str, table: str, fingerprint: str) -> None:
    """Where workers find it; those of other builds go. Raises RecipeError, of a table that has changed meanwhile."""
    kept = {_path_of(out, fingerprint)} if fingerprint else set()
    for path in set(files.list_files(files.join(out, "ledger", "concepts", ""))) - kept:
        files.remove(path)
    if not fingerprint:
        return
    names, rows = _read(table)
    if _fingerprint(names, rows) != fingerprint:
        raise RecipeError([f"{_LABEL}: {table!r} changed during the run: run again"])
    buffer = io.BytesIO()
    pq.write_table(pa.table({names: [name for name, _ in rows], "concepts": [shown for _, shown in rows]}), buffer)
    with files.atomic_write(_path_of(out, fingerprint)) as file:
        file.write(buffer.getvalue())


@cache
def kept_withholding(out: str, fingerprint: str, withheld: tuple[str, ...]) -> Withholding | None:
    """From OUT; made once in each process."""
    return read_withholding(_path_of(out, fingerprint), withheld) if fingerprint else None


def _read(table: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """The column that names the images, and image -> its concepts."""
    try:
        with files.open_read(table) as file:
            data = read_whole(file, RECORD_BYTES, table)
        names = read_schema(data).names
        column = next((name for name in ("key", "source") if name in names), "")
        if not column or "concepts" not in names:
            raise RecipeError(
                [f"{_LABEL}: {table!r} has no column 'concepts', or neither 'key' nor 'source': add them"]
            )
        rows = read_table(data, columns=[column, "concepts"]).to_pylist()
    except (OSError, files.StoreError, pa.ArrowException, TooLarge) as problem:
        why = str(problem).partition("\n")[0]
        raise RecipeError([f"{_LABEL}: {table!r} can't be read ({why}): name another"]) from None
    if not all(isinstance(row["concepts"], list | None) for row in rows):
        raise RecipeError([f"{_LABEL}: {table!r}: column 'concepts' must hold lists of strings"])
    return column, [(row[column], row["concepts"] or []) for row in rows]


def _fingerprint(names: str, rows: list[tuple[str, list[str]]]) -> str:
    return hashlib.sha256(json.dumps([names, rows]).encode()).hexdigest()[:16]


def _path_of(out: str, fingerprint: str) -> str:
    return files.join(out, "ledger", "concepts", f"{fingerprint}.parquet")
