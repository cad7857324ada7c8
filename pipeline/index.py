"""Step 1, read: which images there are, each with its key and where its bytes lie.

A graph of its own, because both others start from its result and neither should hash every image again. The index is a
Parquet file of references, rewritten by every run: the images may have changed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from florenz.images import sources as images
from florenz.images.decoding import BadImage
from florenz.images.references import relative_uri
from florenz.images.sources import ImageRef, SourceFile
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.progress import ProgressAddress, advance
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.local import local_graph
from florenz.stores import files

_SCHEMA = pa.schema([(name, pa.string()) for name in ("key", "source", "reason", "detail")])


@dataclass(frozen=True, kw_only=True)
class Index:
    """The images of a run, sorted by key, and what the sources held besides. `images`: key -> URI."""

    images: dict[str, str]
    rejects: tuple[Reject, ...]

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
    with local_graph(recipe.out, recipe.workers) as pipeline:
        (
            pipeline
            | "sources" >> beam.Create(sources)
            | "read" >> beam.FlatMap(_references, count=recipe.images.limit)
            | "spread" >> beam.Reshuffle()
            | "hash" >> beam.Map(_keyed, max_bytes=recipe.images.max_bytes, progress=progress)
            | "same picture" >> beam.GroupByKey()
            | "first of each" >> beam.FlatMapTuple(partial(_unique, source=recipe.image_source))
            | "all" >> beam.combiners.ToList()
            | "write index" >> beam.Map(_write, path=index_path(recipe.out))
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
    )


def _references(source: SourceFile | str, count: int | None) -> Iterator[ImageRef | images.Reject]:
    return images.read_refs(source, max_images=count) if isinstance(source, str) else images.read_source(source)


def _keyed(found: ImageRef | images.Reject, max_bytes: int, progress: ProgressAddress) -> tuple[str, Reject | str]:
    """(key, URI), or a reject under its URI, which no key looks like."""
    advance(progress, "read", 1)
    if isinstance(found, images.Reject):
        return found.uri, Reject(step="read", reason=found.reason, detail=found.detail, source=found.uri)
    try:
        return images.read_image(found, max_bytes=max_bytes).key, found.uri
    except BadImage as bad:
        return found.uri, Reject(step="read", reason=bad.reason, detail=bad.detail, source=found.uri)


def _unique(key: str, found: Iterable[Reject | str], source: str) -> Iterator[tuple[str, Reject | str]]:
    """The first URI of a picture is the image, whatever order they came in; the others are copies of it."""
    found = list(found)
    yield from ((key, item) for item in found if isinstance(item, Reject))
    uris = sorted(item for item in found if isinstance(item, str))
    yield from ((key, uri) for uri in uris[:1])
    for copy in uris[1:]:
        detail = f"the same as {relative_uri(uris[0], source)}"
        yield key, Reject(key=key, step="read", reason="duplicate_image", detail=detail, source=copy)


def _write(found: Iterable[tuple[str, Reject | str]], path: str) -> None:
    rows = [
        {"key": item.key, "source": item.source, "reason": item.reason, "detail": item.detail}
        if isinstance(item, Reject)
        else {"key": key, "source": item, "reason": "", "detail": ""}
        for key, item in found
    ]
    rows.sort(key=lambda row: (row["key"], row["source"], row["reason"]))
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer, compression="zstd")
    with files.atomic_write(path) as file:
        file.write(buffer.getvalue())
