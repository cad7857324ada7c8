"""OUT/alignment/<language>-<fingerprint>.pairs: what each alignment table of the current build was learned from.

A recipe that names one (`alignment_tables` in [filters]) has its texts judged by it, whatever else is in the run: new
images then change no verdict about others. Kept are the pairs and not the table, which is thirty times as large; it is
learned from them again, the same by the same code, and code is part of a build's name. Their fingerprint is made of
them and of how they were looked at (`views_ever`): a damaged file is told, and a table that was kept before there were
other views is learned by its own. The pairs are texts: `florenz remove` takes all of them away.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator

from florenz.filters.alignment import Views, views_ever
from florenz.filters.alignment_check import AlignmentTable, fingerprint_of, learn_table
from florenz.filters.settings import language_and_fingerprint
from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_whole
from florenz.limits.table import RECORD_BYTES
from florenz.stores import files

Pair = tuple[str, str]
FOLDER, _ENDING = "alignment", ".pairs"


class BrokenTable(ValueError):
    """A kept table can't be read as it was written; the message says which and what to do."""


def path_of(out: str, name: str) -> str:
    """name: as in the recipe, de-0123456789abcdef."""
    return files.join(out, FOLDER, name + _ENDING)


def keep_pairs(out: str, table: AlignmentTable, pairs: Collection[Pair]) -> None:
    path = path_of(out, f"{table.language}-{table.fingerprint}")
    if not files.exists(path):
        with files.atomic_write(path) as file:
            file.write(zlib.compress(json.dumps(sorted(pairs)).encode(), 6))


def kept_table(out: str, name: str) -> AlignmentTable:
    """Learned from what was kept. Raises BrokenTable, FileNotFoundError."""
    pairs, views = _kept_pairs(out, name)
    table = learn_table(pairs, language_and_fingerprint(name)[0], views)
    if table is None:
        raise BrokenTable(_advice(path_of(out, name)))
    return table


def _kept_pairs(out: str, name: str) -> tuple[list[Pair], Views]:
    path = path_of(out, name)
    with files.open_read(path) as file:
        packed = read_whole(file, RECORD_BYTES, path)
    try:
        rows = json.loads(zlib.decompressobj().decompress(packed, RECORD_BYTES))
        pairs = [(str(source), str(text)) for source, text in rows]
    except (zlib.error, ValueError, TypeError, RecursionError) as problem:
        raise BrokenTable(_advice(path)) from problem
    language, fingerprint = language_and_fingerprint(name)
    for views in views_ever(language):
        if fingerprint_of(pairs, views) == fingerprint:
            return pairs, views
    raise BrokenTable(_advice(path))


def problems(out: str, names: Collection[str]) -> Iterator[str]:
    """A line for each table that a recipe names and that OUT does not have, or not as it was written."""
    for name in names:
        try:
            _kept_pairs(out, name)
        except FileNotFoundError:
            there = ", ".join(sorted(_names(out))) or "none"
            yield f"[filters] alignment_tables: there is no {path_of(out, name)} (kept here: {there}): copy it there"
        except (BrokenTable, TooLarge) as problem:
            yield f"[filters] alignment_tables: {problem}"


def remove_others(out: str, names: Collection[str]) -> None:
    """Forget all tables but these."""
    for name in set(_names(out)) - set(names):
        files.remove(path_of(out, name))


def _names(out: str) -> list[str]:
    paths = files.list_files(files.join(out, FOLDER, ""))
    return [path.rpartition("/")[2].removesuffix(_ENDING) for path in paths if path.endswith(_ENDING)]


def _advice(path: str) -> str:
    return f"{path} is damaged: copy it there again, or take it out of alignment_tables to learn from this run"
