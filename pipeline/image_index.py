"""The index of a run's images, by ranges of keys: what each part holds, and reading one part at a time.

    OUT/ledger/images/<range>.parquet   key, source, what is wrong with it, what its sidecar says; by key
    OUT/ledger/images/parts.json        the parts with their numbers, written last

A process holds the numbers of all parts, and images of one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images.sidecars import About, about_from
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.ranges import range_of
from florenz.pipeline.tombstones import drop_rows
from florenz.stores import files
from florenz.stores.seals import check_seal, sealed, sha256s_of
from florenz.stores.tables import read_table

SCHEMA = pa.schema([(name, pa.string()) for name in ("key", "source", "reason", "detail", "about")])
_REJECT = ("key", "source", "reason", "detail")


@dataclass(frozen=True, kw_only=True)
class IndexPart:
    """A range and what it holds. rejected: reason -> number. sha256: of the part's bytes."""

    range: str
    images: int
    rejected: Mapping[str, int]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class RangeOfImages:
    """The images of one range. images: key -> URI, by key. damaged: key -> what is wrong with it, of images that are
    used all the same. about: key -> what its sidecar says, of images that have one.
    """

    images: dict[str, str]
    range: str = ""
    rejects: tuple[Reject, ...] = ()
    damaged: dict[str, str] = field(default_factory=dict)
    about: dict[str, About] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Index:
    """parts: in the order of ranges, those that hold something. digits: of each range."""

    parts: tuple[IndexPart, ...]
    digits: int
    out: str = field(compare=False)

    @property
    def num_images(self) -> int:
        return sum(part.images for part in self.parts)

    @property
    def rejected(self) -> Counter[str]:
        """reason -> number."""
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.rejected)
        return total

    @property
    def num_found(self) -> int:
        """Everything that was looked at: images, copies and what is no image."""
        return self.num_images + self.rejected.total()

    @property
    def images(self) -> Images:
        return Images(self)

    def ranges(self) -> Iterator[RangeOfImages]:
        """One after the other, in order."""
        return (read_range(self.out, part.range) for part in self.parts)


class Images(Mapping[str, str]):
    """key -> URI, of all images, by key; one part is held at a time."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._ranges = {part.range for part in index.parts}
        self._held = ("none", RangeOfImages(images={}))

    def __len__(self) -> int:
        return self._index.num_images

    def __iter__(self) -> Iterator[str]:
        for part in self._index.parts:
            yield from self._part(part.range)

    def __getitem__(self, key: str) -> str:
        wanted = range_of(key, self._index.digits)
        if wanted not in self._ranges:
            raise KeyError(key)
        return self._part(wanted)[key]

    def _part(self, wanted: str) -> dict[str, str]:
        if self._held[0] != wanted:
            self._held = wanted, read_range(self._index.out, wanted)
        return self._held[1].images


def parts_folder(out: str) -> str:
    return files.join(out, "ledger", "images", "")


def index_path(out: str) -> str:
    """What is written last, and stands for the whole."""
    return files.join(out, "ledger", "images", "parts.json")


def index_path_before(out: str) -> str:
    """Where earlier versions kept all of it."""
    return files.join(out, "ledger", "images.parquet")


def part_path(out: str, its_range: str) -> str:
    return files.join(out, "ledger", "images", f"{its_range}.parquet")


def read_range(out: str, its_range: str) -> RangeOfImages:
    rows = read_table(files.read_bytes(part_path(out, its_range))).to_pylist()
    return RangeOfImages(
        range=its_range,
        images={row["key"]: row["source"] for row in rows if not row["reason"]},
        rejects=tuple(Reject(step="read", **{name: row[name] for name in _REJECT}) for row in rows if row["reason"]),
        damaged={row["key"]: row["detail"] for row in rows if row["detail"] and not row["reason"]},
        about={row["key"]: about_from(row["about"]) for row in rows if row["about"] and not row["reason"]},
    )


def write_part(out: str, its_range: str, table: pa.Table) -> IndexPart:
    """table: of SCHEMA, in its order; the same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    with files.atomic_write(part_path(out, its_range)) as file:
        file.write(buffer.getbuffer())
    return _described(its_range, table, buffer.getvalue())


def _described(its_range: str, table: pa.Table, content: bytes) -> IndexPart:
    reasons = Counter(reason for reason in table["reason"].to_pylist() if reason)
    return IndexPart(
        range=its_range,
        images=table.num_rows - reasons.total(),
        rejected=dict(sorted(reasons.items())),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def drop_images(out: str, keys: Collection[str]) -> int:
    """Write parts anew without these images; how many rows went.

    Stopped anywhere, the same call goes on: what the parts hold is looked up again, whatever stands about them.
    """
    paths = [path for path in files.list_files(parts_folder(out)) if path.endswith(".parquet")]
    dropped = sum(drop_rows(path, keys) for path in (*paths, index_path_before(out)))
    if (known := _read_record(out)) is None:  # of an earlier version, or its parts are just being made
        return dropped
    index, listing = known
    parts: list[IndexPart] = []
    for part in (part for part in index.parts if part_path(out, part.range) in paths):
        content = files.read_bytes(part_path(out, part.range))
        if (table := read_table(content)).num_rows:
            parts.append(_described(part.range, table, content))
        else:
            files.remove(part_path(out, part.range))
    now = Index(parts=tuple(parts), digits=index.digits, out=out)
    if now != index:
        write_index(now, listing)  # what it was made from has not changed
    return dropped


def is_whole(index: Index) -> bool:
    """Whether its parts hold the bytes that were written. A store in the network has checksums of its own."""
    paths = {part_path(index.out, part.range): part.sha256 for part in index.parts}
    return files.local_path(index.out) is None or list(sha256s_of(paths)) == list(paths.values())


def write_index(index: Index, listing: str) -> None:
    """Complete the index. listing: stands for all that decides it; "" where that may be other tomorrow."""
    record = {"listing": listing, "digits": index.digits, "parts": [asdict(part) for part in index.parts]}
    with files.atomic_write(index_path(index.out)) as file:
        file.write(json.dumps(sealed(record), indent=1).encode())


def read_index(out: str, listing: str | None = None) -> Index | None:
    """The index that lies in OUT; None without one that is whole, or where it is of another listing."""
    known = _read_record(out)
    return known[0] if known is not None and listing in (None, known[1]) else None


def _read_record(out: str) -> tuple[Index, str] | None:
    """With the listing that it was made from."""
    try:
        record: dict[str, Any] = json.loads(files.read_bytes(index_path(out)))
        check_seal(record)
        parts = tuple(IndexPart(**part) for part in record["parts"])
        return Index(parts=parts, digits=record["digits"], out=out), record["listing"]
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return None
