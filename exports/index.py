"""The index of a build: one row for each text, as Parquet, so that a table is enough to look, count and pick.

    OUT/index/<build>-000000.parquet          one file for each shard, in the order of the manifest
    OUT/heldout/index/<build>-000004.parquet  of the shards of what is withheld, and nowhere else

A file's name says no split: readers that look for splits by name (`datasets`) would take it for one. `offset` and
`bytes` say where in its shard a picture lies, so that one can be had without reading the tar.

The index holds nothing that the shards don't: it is made from them, file by file, and can be made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.exif import has_position
from florenz.shards.manifest import shard_path
from florenz.shards.plan import HELDOUT
from florenz.shards.reader import iter_members, iter_placed_samples
from florenz.shards.schema import HELDOUT_SUFFIX, Sample
from florenz.shards.writer import ShardInfo
from florenz.stores import files

FOLDER = "index"
TEXTS = (
    "build", "split", "key", "image", "task", "language", "style", "text", "source_language", "source_text", "scores",
    "made_by", "way", "notes", "licence", "url", "image_notes", "source", "shard", "sha256",
)  # fmt: skip
NUMBERS = ("width", "height", "offset", "bytes")
HAS_POSITION = "has_position"  # whether the picture's EXIF says where it was taken
SCHEMA = pa.schema(
    [(name, pa.string()) for name in TEXTS] + [(name, pa.int64()) for name in NUMBERS] + [(HAS_POSITION, pa.bool_())]
)
ROWS_AT_ONCE = 10_000


class WrongCount(ValueError):
    """The shards hold other texts than the manifest counts."""


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """Where the rows of one shard stand."""

    path: str
    shard: ShardInfo


def index_files(out: str, build: str, shards: Sequence[ShardInfo]) -> list[IndexFile]:
    """One for each shard, withheld ones in the folder for what is withheld."""
    return [
        IndexFile(path=files.join(_folder(out, shard.split), f"{build}-{number:06d}.parquet"), shard=shard)
        for number, shard in enumerate(shards)
    ]


def _folder(out: str, split: str) -> str:
    return files.join(out, HELDOUT, FOLDER) if split == HELDOUT else files.join(out, FOLDER)


def write_index(out: str, build: str, shards: Sequence[ShardInfo]) -> int:
    """Write the files that are not there yet; how many. The same shards give the same bytes.

    Raises:
        WrongCount: a shard that holds other texts than its entry counts; nothing is written for it.
    """
    missing = missing_files(out, build, shards)
    for file in missing:
        write_file(out, build, file)
    return len(missing)


def missing_files(out: str, build: str, shards: Sequence[ShardInfo]) -> list[IndexFile]:
    """Those that are not there yet, or not whole."""
    return [file for file in index_files(out, build, shards) if not _is_whole(file)]


def _is_whole(file: IndexFile) -> bool:
    """Whether it is there with all its rows, by its footer."""
    try:
        with files.open_read(file.path) as opened:
            return bool(pq.read_metadata(opened).num_rows == sum(file.shard.counts.values()))
    except (FileNotFoundError, pa.ArrowException):
        return False


def write_file(out: str, build: str, file: IndexFile) -> None:
    """The rows of one shard. Raises WrongCount, as `write_index` does."""
    num_rows = 0
    with files.atomic_write(file.path) as target, pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        for rows in _batches(rows_of_shard(out, build, file.shard)):
            num_rows += len(rows)
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        if num_rows != sum(file.shard.counts.values()):
            raise WrongCount(
                f"{shard_path('', build, file.shard.path)} holds {num_rows} texts, the build counts "
                f"{sum(file.shard.counts.values())}: run make verify"
            )


def rows_of_shard(out: str, build: str, shard: ShardInfo) -> Iterator[dict[str, Any]]:
    """The rows of one shard, in its order."""
    name = shard_path("", build, shard.path)
    for sample, offset in iter_placed_samples(shard_path(out, build, shard.path)):
        about = {"build": build, "split": shard.split, "shard": name, "offset": offset}
        yield from rows_of_sample(sample, about)


def rows_of_sample(sample: Sample, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each example. about: what the sample does not know of itself."""
    common = {
        **about,
        "key": sample.key,
        "image": sample.image,
        "source": sample.source,
        "licence": sample.licence,
        "url": sample.url,
        "image_notes": sample.notes,
        "width": sample.width,
        "height": sample.height,
        "bytes": len(sample.jpeg),
        HAS_POSITION: has_position(sample.jpeg),
        "sha256": hashlib.sha256(sample.jpeg).hexdigest(),
    }
    own = ("task", "language", "style", "text", "source_language", "source_text", "scores", "made_by", "way", "notes")
    for example in sample.examples:
        yield {**common, **{name: getattr(example, name) for name in own}}


def read_index(out: str, build: str, shards: Sequence[ShardInfo], columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of these shards in one table. shards: all of the build, of which files are numbered."""
    tables = [read_file(file, columns) for file in index_files(out, build, shards)]
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def read_file(file: IndexFile, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one shard."""
    with files.open_read(file.path) as opened:  # the bytes of these columns alone
        return pq.ParquetFile(opened).read(columns=columns)


def num_positions(out: str, build: str, shards: Sequence[ShardInfo]) -> int:
    """How many pictures say where they were taken; file by file, since an image stands in one shard."""
    number = 0
    for file in index_files(out, build, shards):
        if file.shard.split != HELDOUT and _may_have_position(file):  # heldout's pictures are val's
            table = read_file(file, ["image", HAS_POSITION])
            number += len(pc.unique(table.filter(table.column(HAS_POSITION)).column("image")))
    return number


def _may_have_position(file: IndexFile) -> bool:
    """By the footer, which knows the largest value of a column: of a million pictures most have none."""
    with files.open_read(file.path) as opened:
        found = pq.read_metadata(opened)
    column = SCHEMA.get_field_index(HAS_POSITION)
    statistics = [found.row_group(number).column(column).statistics for number in range(found.num_row_groups)]
    return any(one is None or not one.has_min_max or one.max for one in statistics)


def holds_any(out: str, build: str, file: IndexFile, images: Collection[str]) -> bool:
    """Whether the shard of this file has one of these images: by the index, or where that is not whole by the shard."""
    if _is_whole(file):
        column = read_file(file, ["image"]).column("image")
        return bool(pc.any(pc.is_in(column, value_set=pa.array(sorted(images), pa.string()))).as_py())
    try:
        keys = (key for key, _ in iter_members(shard_path(out, build, file.shard.path)))
        return any(key.removesuffix(HELDOUT_SUFFIX) in images for key in keys)
    except FileNotFoundError:
        return False


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
