"""Images with all that is known of them, for a page: what was kept, what was withheld, what was rejected and why.

From the index and the reject file, of a few shards that are spread over the build: what a page shows of a million
images must not cost reading a million.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.exports.index import IndexFile, index_files
from florenz.shards.manifest import Manifest
from florenz.shards.plan import HELDOUT
from florenz.stores import files

MAX_SHARDS = 6
MAX_REJECTS = 200_000  # rows of the reject file that are looked at


@dataclass(frozen=True, kw_only=True)
class Text:
    """One text beside a picture. verdict: "kept", "withheld" or "rejected"; reason, detail: of a reject."""

    task: str
    language: str
    style: str
    text: str
    source_text: str
    verdict: str
    scores: str = ""
    step: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image. shard, offset, bytes: where its picture lies; "" without one in the build."""

    key: str
    source: str
    split: str = ""
    licence: str = ""
    url: str = ""
    shard: str = ""
    offset: int = 0
    bytes: int = 0
    texts: tuple[Text, ...] = ()


def rejects_path(out: str, build: str) -> str:
    return files.join(out, "rejects", f"{build}.parquet")


def read_rejects(out: str, build: str, keys: Collection[str] | None = None) -> list[dict[str, str]]:
    """Rows of the reject file, those of `keys` or the first MAX_REJECTS; none where there is no file."""
    try:
        content = files.read_bytes(rejects_path(out, build))
    except FileNotFoundError:
        return []
    rows: list[dict[str, str]] = []
    for batch in pq.ParquetFile(io.BytesIO(content)).iter_batches(MAX_REJECTS // 4):
        if keys is not None:
            batch = batch.filter(pc.is_in(batch.column("key"), value_set=pa.array(sorted(keys), pa.string())))
        rows += batch.to_pylist()
        if keys is None and len(rows) >= MAX_REJECTS:
            break
    return rows


def spread_shards(out: str, manifest: Manifest, splits: Iterable[str], most: int = MAX_SHARDS) -> list[IndexFile]:
    """Index files of shards that are spread evenly over these splits."""
    wanted = set(splits)
    found = [file for file in index_files(out, manifest.build, manifest.shards) if file.shard.split in wanted]
    return [found[number * len(found) // most] for number in range(most)] if len(found) > most else found


def read_entries(out: str, manifest: Manifest, index: Sequence[IndexFile], keys: Collection[str] = ()) -> list[Entry]:
    """The images of these shards, or those named, with their rejects and what is withheld of them, in order of keys."""
    images: dict[str, Entry] = {}
    texts: dict[str, list[Text]] = defaultdict(list)
    for file in index:
        for row in _rows(file.path, keys):
            images.setdefault(row["image"], _entry(row))
            texts[row["image"]].append(_text(row, "withheld" if row["split"] == HELDOUT else "kept"))
    withheld = [file for file in index_files(out, manifest.build, manifest.shards) if file.shard.split == HELDOUT]
    val = {file.shard.path.removeprefix("val-") for file in index if file.shard.split == "val"}
    for file in withheld:
        if file not in index and file.shard.path.removeprefix(f"{HELDOUT}-") in val:
            for row in _rows(file.path, keys):
                texts[row["image"]].append(_text(row, "withheld"))
    for row in read_rejects(out, manifest.build, images.keys() | set(keys)):
        images.setdefault(row["key"], Entry(key=row["key"], source=row["source"]))
        texts[row["key"]].append(_rejected(row))
    return [replace(entry, texts=tuple(texts[key])) for key, entry in sorted(images.items())]


def find_entry(out: str, manifest: Manifest, key: str) -> Entry | None:
    """One image of the build by its key, or by the beginning of it; None if there is none."""
    for file in index_files(out, manifest.build, manifest.shards):
        images = pq.read_table(io.BytesIO(files.read_bytes(file.path)), columns=["image"]).column("image")
        found = images.filter(pc.starts_with(images, key))
        if len(found) and file.shard.split != HELDOUT:
            image = str(found[0])
            return read_entries(out, manifest, [file], [image])[0]
    rejected = [row["key"] for row in read_rejects(out, manifest.build) if row["key"].startswith(key)]
    return read_entries(out, manifest, [], rejected[:1])[0] if rejected else None


def ranked(salt: str, name: str) -> str:
    """A number for sorting that depends on the name alone: the same build gives the same page."""
    return hashlib.sha256(f"{salt}\0{name}".encode()).hexdigest()


def _rows(path: str, keys: Collection[str]) -> Iterator[dict[str, Any]]:
    table = pq.read_table(io.BytesIO(files.read_bytes(path)))
    if keys:
        table = table.filter(pc.is_in(table.column("image"), value_set=pa.array(sorted(keys), pa.string())))
    yield from table.to_pylist()


def _entry(row: dict[str, Any]) -> Entry:
    names = ("source", "split", "licence", "url", "shard", "offset", "bytes")
    return Entry(key=row["image"], **{name: row[name] for name in names})


def _text(row: dict[str, Any], verdict: str) -> Text:
    names = ("task", "language", "style", "text", "source_text", "scores")
    return Text(verdict=verdict, **{name: row[name] for name in names})


def _rejected(row: dict[str, str]) -> Text:
    names = ("language", "style", "text", "step", "reason", "detail")
    return Text(task="", source_text="", verdict="rejected", **{name: row[name] for name in names})
