"""Step 1, read: which images there are, each with its key and where its bytes lie.

A graph of its own, because both others start from its result and neither should hash every image again. The index is a
Parquet file of references, rewritten by every run: the images may have changed.

Each picture is also proved here (`images/proof.py`), once: before anything is paid for, and in old datasets too. A
damaged one is rejected, or, with `on_damage = "reencode"`, stays and is noted, so that a shard gets it written anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton

from florenz.images import sources as images
from florenz.images.decoding import BadImage
from florenz.images.proof import prove
from florenz.images.references import relative_uri
from florenz.images.sources import ImageRef, SourceFile
from florenz.limits.table import Limits
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.proofs import read_proofs, write_proofs
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import graph, workers_progress
from florenz.pipeline.workers.given import given
from florenz.stores import files

_SCHEMA = pa.schema([(name, pa.string()) for name in ("key", "source", "reason", "detail")])


@dataclass(frozen=True, kw_only=True)
class Index:
    """The images of a run, sorted by key, and what the sources held besides.

    images: key -> URI. damaged: key -> what is wrong with it, of images that are used all the same.
    """

    images: dict[str, str]
    rejects: tuple[Reject, ...]
    damaged: dict[str, str] = field(default_factory=dict)

    @property
    def num_found(self) -> int:
        """Everything that was looked at: images, copies and what is no image."""
        return len(self.images) + len(self.rejects)


def index_path(out: str) -> str:
    return files.join(out, "ledger", "images.parquet")


def build_index(recipe: Recipe, source_files: Sequence[SourceFile], progress: ProgressAddress) -> Index:
    """Run the graph over the files that `images.list_sources` found, and read its result."""
    sources: list[SourceFile] | list[str] = list(source_files)
    if recipe.images.limit is not None:
        # "The first N in sorted order" is a sequence: one worker lists the references, hashing is still spread out.
        sources = [recipe.image_source]
    known = read_proofs(recipe.out)
    running, telling = recipe.running, workers_progress(recipe.running, progress)
    with graph(running, "read", progress) as pipeline:
        (
            pipeline
            | "sources" >> given(sources, running)
            | "read" >> beam.FlatMap(_references, count=recipe.images.limit, limits=recipe.limits)
            | "spread" >> beam.Reshuffle()
            | "hash and prove"
            >> beam.Map(
                _keyed,
                known=AsSingleton(pipeline | "known verdicts" >> given([known], running)),
                max_bytes=recipe.images.max_bytes,
                limits=recipe.limits,
                progress=telling,
            )
            | "same picture" >> beam.GroupByKey()
            | "first of each"
            >> beam.FlatMapTuple(
                partial(_unique, source=recipe.image_source, keeps_damaged=recipe.images.keeps_damaged)
            )
            | "all" >> beam.combiners.ToList()
            | "write index" >> beam.Map(_write, out=recipe.out, known=known)
        )
    return read_index(recipe.out)


def expected_images(recipe: Recipe, source_files: Sequence[SourceFile]) -> int | None:
    """How many there are to read, for the progress bar; None where tars or Parquet files would have to be opened."""
    if any(file.kind != "file" for file in source_files):
        return None
    return len(source_files) if recipe.images.limit is None else min(recipe.images.limit, len(source_files))


def read_index(out: str) -> Index:
    rows = pq.read_table(io.BytesIO(files.read_bytes(index_path(out)))).to_pylist()
    return Index(
        images={row["key"]: row["source"] for row in rows if not row["reason"]},
        rejects=tuple(Reject(step="read", **row) for row in rows if row["reason"]),
        damaged={row["key"]: row["detail"] for row in rows if row["detail"] and not row["reason"]},
    )


def _references(source: SourceFile | str, count: int | None, limits: Limits) -> Iterator[ImageRef | images.Reject]:
    if isinstance(source, str):
        return images.read_refs(source, max_images=count, limits=limits)
    return images.read_source(source, limits)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a picture is, and what is wrong with its bytes; "" for nothing."""

    uri: str
    damage: str


def _keyed(
    found: ImageRef | images.Reject,
    known: Mapping[str, str],
    max_bytes: int,
    limits: Limits,
    progress: ProgressAddress,
) -> tuple[str, Reject | Picture]:
    """(key, picture), or a reject under its URI, which no key looks like."""
    advance(progress, "read", 1)
    count("read", 1)
    if isinstance(found, images.Reject):
        return found.uri, Reject(step="read", reason=found.reason, detail=found.detail, source=found.uri)
    try:
        data = images.read_image_bytes(found, max_bytes=max_bytes, limits=limits)
    except BadImage as bad:
        return found.uri, Reject(step="read", reason=bad.reason, detail=bad.detail, source=found.uri)
    key = images.key_of(data)
    return key, Picture(uri=found.uri, damage=known[key] if key in known else prove(data).damage)


def _unique(
    key: str, found: Iterable[Reject | Picture], source: str, keeps_damaged: bool = False
) -> Iterator[tuple[str, Reject | Picture]]:
    """The first URI of a picture is the image, whatever order they came in; the others are copies of it."""
    found = list(found)
    yield from ((key, item) for item in found if isinstance(item, Reject))
    pictures = sorted((item for item in found if isinstance(item, Picture)), key=lambda picture: picture.uri)
    for picture in pictures[:1]:
        if picture.damage and not keeps_damaged:
            yield key, Reject(key=key, step="read", reason="damaged_image", detail=picture.damage, source=picture.uri)
        else:
            yield key, picture
    for copy in pictures[1:]:
        detail = f"the same as {relative_uri(pictures[0].uri, source)}"
        yield key, Reject(key=key, step="read", reason="duplicate_image", detail=detail, source=copy.uri)


def _write(found: Iterable[tuple[str, Reject | Picture]], out: str, known: Mapping[str, str]) -> None:
    found = list(found)
    rows = [
        {"key": item.key, "source": item.source, "reason": item.reason, "detail": item.detail}
        if isinstance(item, Reject)
        else {"key": key, "source": item.uri, "reason": "", "detail": item.damage}
        for key, item in found
    ]
    rows.sort(key=lambda row: (row["key"], row["source"], row["reason"]))
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer, compression="zstd")
    verdicts = dict(known)
    for key, item in found:
        if isinstance(item, Picture):
            verdicts[key] = item.damage
        elif item.reason == "damaged_image":
            verdicts[key] = item.detail
    if verdicts != known:
        write_proofs(out, verdicts)
    with files.atomic_write(index_path(out)) as file:
        file.write(buffer.getvalue())
