"""Images with all that is known of them, for a page: what was kept, what was withheld, what was rejected and why.

From the index and the reject file, of a few shards that are spread over the build: what a page shows of a million
images must not cost reading a million.
"""

from __future__ import annotations

import hashlib
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
from florenz.stores.tables import read_table

MAX_SHARDS = 6
REJECTS_AT_ONCE = 4096
OF_ENTRY = ("source", "split", "licence", "url", "shard", "offset", "bytes")
OF_TEXT = ("task", "language", "style", "text", "source_text", "scores")


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


def read_rejects(out: str, build: str, keys: Collection[str]) -> list[dict[str, str]]:
    """Rows of the reject file about these images; none where there is no file."""
    wanted = pa.array(sorted(keys), pa.string())
    return [
        row
        for batch in _reject_batches(out, build)
        for row in batch.filter(pc.is_in(batch.column("key"), value_set=wanted)).to_pylist()
    ]


def _rejected_key(out: str, build: str, beginning: str) -> str | None:
    """The first key that begins so."""
    for batch in _reject_batches(out, build):
        found = batch.column("key").filter(pc.starts_with(batch.column("key"), beginning))
        if len(found):
            return str(found[0])
    return None


def _reject_batches(out: str, build: str) -> Iterator[pa.RecordBatch]:
    """Of millions of rows, some at a time."""
    try:
        with files.open_read(rejects_path(out, build)) as file:
            yield from pq.ParquetFile(file).iter_batches(REJECTS_AT_ONCE)
    except FileNotFoundError:
        return


def spread_shards(out: str, manifest: Manifest, splits: Iterable[str], most: int = MAX_SHARDS) -> list[IndexFile]:
    """Index files of shards that are spread evenly over these splits."""
    wanted = set(splits)
    found = [file for file in index_files(out, manifest.build, manifest.shards) if file.shard.split in wanted]
    return [found[number * len(found) // most] for number in range(most)] if len(found) > most else found


def read_entries(
    out: str, manifest: Manifest, index: Sequence[IndexFile], keys: Collection[str] = (), most: int | None = None
) -> list[Entry]:
    """The images of these shards, or those named, with their rejects and what is withheld of them, in order of keys.

    most: about so many of them, the smallest keys, which are hashes.
    """
    num_images = sum(file.shard.samples for file in index)
    below = f"{(most << 128) // num_images:032x}" if most is not None and num_images > most else ""
    images: dict[str, Entry] = {}
    texts: dict[str, list[Text]] = defaultdict(list)
    for file in index:
        for row in _rows(file.path, keys, below):
            images.setdefault(row["image"], _entry(row))
            texts[row["image"]].append(_text(row, "withheld" if row["split"] == HELDOUT else "kept"))
    withheld = [file for file in index_files(out, manifest.build, manifest.shards) if file.shard.split == HELDOUT]
    val = {file.shard.path.removeprefix("val-") for file in index if file.shard.split == "val"}
    for file in withheld:
        if file not in index and file.shard.path.removeprefix(f"{HELDOUT}-") in val:
            for row in _rows(file.path, keys, below):
                texts[row["image"]].append(_text(row, "withheld"))
    for row in read_rejects(out, manifest.build, images.keys() | set(keys)):
        images.setdefault(row["key"], Entry(key=row["key"], source=row["source"]))
        texts[row["key"]].append(_rejected(row))
    return [replace(entry, texts=tuple(texts[key])) for key, entry in sorted(images.items())]


def find_entry(out: str, manifest: Manifest, key: str) -> Entry | None:
    """One image of the build by its key, or by the beginning of it; None if there is none."""
    for file in index_files(out, manifest.build, manifest.shards):
        images = read_table(files.read_bytes(file.path), columns=["image"]).column("image")
        found = images.filter(pc.starts_with(images, key))
        if len(found) and file.shard.split != HELDOUT:
            image = str(found[0])
            return read_entries(out, manifest, [file], [image])[0]
    rejected = _rejected_key(out, manifest.build, key)
    return read_entries(out, manifest, [], [rejected])[0] if rejected else None


def ranked(salt: str, name: str) -> str:
    """A number for sorting that depends on the name alone: the same build gives the same page."""
    return hashlib.sha256(f"{salt}\0{name}".encode()).hexdigest()


def _rows(path: str, keys: Collection[str], below: str) -> Iterator[dict[str, Any]]:
    """below: keys smaller than this alone; "" for all."""
    columns = ["image", *OF_ENTRY, *OF_TEXT]
    table = read_table(files.read_bytes(path), columns=columns)
    if below:
        table = table.filter(pc.less(table.column("image"), below))
    if keys:
        table = table.filter(pc.is_in(table.column("image"), value_set=pa.array(sorted(keys), pa.string())))
    yield from table.to_pylist()


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(key=row["image"], **{name: row[name] for name in OF_ENTRY})


def _text(row: dict[str, Any], verdict: str) -> Text:
    return Text(verdict=verdict, **{name: row[name] for name in OF_TEXT})


def _rejected(row: dict[str, str]) -> Text:
    names = ("language", "style", "text", "step", "reason", "detail")
    return Text(task="", source_text="", verdict="rejected", **{name: row[name] for name in names})
