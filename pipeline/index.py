"""Step 1, read: which images there are, each with its key and where its bytes lie.

A graph of its own, because both others start from its result and neither should hash every image again. The index is a
Parquet file of references, made anew where a file of the source has changed, come or gone; only such files are read
(`known_sources.py`).

Each picture is also proved here (`images/proof.py`), once: before anything is paid for, and in old datasets too. A
damaged one is rejected, or, with `on_damage = "reencode"`, stays and is noted, so that a shard gets it written anew.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton

from florenz.images import sources as images
from florenz.images.decoding import BadImage
from florenz.images.proof import prove
from florenz.images.references import parse_uri, relative_uri, uri_of
from florenz.images.sidecars import About, about_from, about_text
from florenz.images.sources import ImageRef, SourceFile
from florenz.limits.table import Limits
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.known_sources import (
    FOUND,
    PASSING,
    keep_rows,
    known_rows,
    known_sources_path,
    listing_of,
    with_paths,
)
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.proofs import proofs_path, read_proofs, write_proofs
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import graph, workers_progress
from florenz.pipeline.tombstones import drop_rows, read_tombstones, without
from florenz.pipeline.workers.given import given
from florenz.stores import files

_LISTING = b"florenz_listing"
_REJECT = ("key", "source", "reason", "detail")
READS_IN_FLIGHT = 16  # in an object store each image is a request
MAX_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Index:
    """The images of a run, sorted by key, and what the sources held besides.

    images: key -> URI. damaged: key -> what is wrong with it, of images that are used all the same. about: key -> what
    its sidecar says, of images that have one.
    """

    images: dict[str, str]
    rejects: tuple[Reject, ...]
    damaged: dict[str, str] = field(default_factory=dict)
    about: dict[str, About] = field(default_factory=dict)

    @property
    def num_found(self) -> int:
        """Everything that was looked at: images, copies and what is no image."""
        return len(self.images) + len(self.rejects)


def index_path(out: str) -> str:
    return files.join(out, "ledger", "images.parquet")


def build_index(recipe: Recipe, source_files: Sequence[SourceFile], progress: ProgressAddress) -> Index:
    """Run the graph over those files that are new or changed, of those that `images.list_sources` found."""
    if recipe.images.limit is not None:
        # "The first N in sorted order" is a sequence: one worker lists the references, hashing is still spread out.
        _write(_found_in(recipe, [recipe.image_source], progress), recipe, {})
        return read_index(recipe.out)
    listing = listing_of(source_files, rules=f"{recipe.images.max_bytes} {recipe.limits}")
    removed = read_tombstones(recipe.out)
    rules = f"{listing.digest()} {recipe.images.keeps_damaged} {recipe.image_source}{_print_of(removed)}"
    digest = {_LISTING: rules.encode("utf-8", "surrogateescape")} if listing.is_stamped else {}
    if digest and digest.items() <= _metadata_of(index_path(recipe.out)).items():
        return read_index(recipe.out)
    rows = without(known_rows(recipe.out, listing), removed)
    paths = set(rows["path"].to_pylist())
    changed = [file for file in source_files if uri_of(file.path) not in paths]
    if changed:
        rows = pa.concat_tables([rows, with_paths(_found_in(recipe, changed, progress), listing, changed)])
        keep_rows(recipe.out, listing, rows)
    may_pass = pc.any(pc.is_in(rows["reason"], value_set=PASSING)).as_py()
    _write(rows.filter(pc.not_equal(rows["source"], "")), recipe, {} if may_pass else digest)
    return read_index(recipe.out)


def _print_of(removed: Collection[str]) -> str:
    """Another index once an image was removed, and the same as ever where none was."""
    return f" {hashlib.sha256(repr(sorted(removed)).encode()).hexdigest()}" if removed else ""


def _found_in(recipe: Recipe, sources: Sequence[SourceFile | str], progress: ProgressAddress) -> pa.Table:
    """Rows of FOUND, in any order."""
    known, path = read_proofs(recipe.out), files.join(recipe.out, "ledger", "found.parquet")
    running, telling = recipe.running, workers_progress(recipe.running, progress)
    with graph(running, "read", progress) as pipeline:
        _ = (
            pipeline
            | "sources" >> given(sources, running)
            | "read" >> beam.FlatMap(_references, count=recipe.images.limit, limits=recipe.limits)
            | "spread" >> beam.Reshuffle()
            | "batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=MAX_BATCH)
            | "hash and prove"
            >> beam.FlatMap(
                _rows,
                known=AsSingleton(pipeline | "known verdicts" >> given([known], running)),
                max_bytes=recipe.images.max_bytes,
                limits=recipe.limits,
                progress=telling,
            )
            | "all" >> beam.combiners.ToList()
            | "write found" >> beam.Map(_write_found, path=path)
        )
    found = without(pq.read_table(io.BytesIO(files.read_bytes(path))), read_tombstones(recipe.out))
    files.remove(path)
    read = found.filter(pc.not_equal(found["key"], ""))
    verdicts = known | dict(zip(read["key"].to_pylist(), read["detail"].to_pylist(), strict=True))
    if verdicts != known:
        write_proofs(recipe.out, verdicts)
    return found


def expected_images(recipe: Recipe, source_files: Sequence[SourceFile]) -> int | None:
    """How many there are to read, for the progress bar; None where tars or Parquet files would have to be opened."""
    if any(file.kind != "file" for file in source_files):
        return None
    return len(source_files) if recipe.images.limit is None else min(recipe.images.limit, len(source_files))


def read_index(out: str) -> Index:
    rows = pq.read_table(io.BytesIO(files.read_bytes(index_path(out)))).to_pylist()
    return Index(
        images={row["key"]: row["source"] for row in rows if not row["reason"]},
        rejects=tuple(Reject(step="read", **{name: row[name] for name in _REJECT}) for row in rows if row["reason"]),
        damaged={row["key"]: row["detail"] for row in rows if row["detail"] and not row["reason"]},
        about={row["key"]: about_from(row["about"]) for row in rows if row.get("about") and not row["reason"]},
    )


def forget_images(out: str, keys: Collection[str]) -> int:
    """Drop all that step 1 has written down of these images; how many rows of the index went."""
    dropped = drop_rows(index_path(out), keys)
    drop_rows(known_sources_path(out), keys)
    verdicts = read_proofs(out)
    if kept := {key: verdict for key, verdict in verdicts.items() if key not in keys}:
        if len(kept) < len(verdicts):
            write_proofs(out, kept)
    elif verdicts:
        files.remove(proofs_path(out))
    return dropped


def _references(source: SourceFile | str, count: int | None, limits: Limits) -> Iterator[ImageRef | images.Reject]:
    if isinstance(source, str):
        return images.read_refs(source, max_images=count, limits=limits)
    return images.read_source(source, limits)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a picture is, what is wrong with its bytes, and what its sidecar says (`about_text`); "" for nothing."""

    uri: str
    damage: str
    about: str = ""


def _rows(
    batch: Sequence[ImageRef | images.Reject],
    known: Mapping[str, str],
    max_bytes: int,
    limits: Limits,
    progress: ProgressAddress,
) -> list[dict[str, str]]:
    """Each as a row of FOUND. Requests to an object store are under way together, reads from a disk are not."""
    look = partial(_row, known=known, max_bytes=max_bytes, limits=limits)
    is_remote = any(files.local_path(parse_uri(found.uri)[0]) is None for found in batch)
    if is_remote and len(batch) > 1:
        with ThreadPoolExecutor(READS_IN_FLIGHT) as pool:
            rows = list(pool.map(look, batch))
    else:
        rows = [look(found) for found in batch]
    advance(progress, "read", len(batch))
    count("read", len(batch))
    return rows


def _row(found: ImageRef | images.Reject, known: Mapping[str, str], max_bytes: int, limits: Limits) -> dict[str, str]:
    """An image has a key and no reason; its detail is what is wrong with its bytes, "" for nothing."""
    if isinstance(found, images.Reject):
        return {"source": found.uri, "key": "", "reason": found.reason, "detail": found.detail, "about": ""}
    try:
        data = images.read_image_bytes(found, max_bytes=max_bytes, limits=limits)
    except BadImage as bad:
        return {"source": found.uri, "key": "", "reason": bad.reason, "detail": bad.detail, "about": ""}
    key = images.key_of(data)
    return {
        "source": found.uri,
        "key": key,
        "reason": "",
        "detail": known[key] if key in known else prove(data).damage,
        "about": about_text(images.read_about(found, limits)),
    }


def _write_found(rows: list[dict[str, str]], path: str) -> None:
    _write_table(pa.Table.from_pylist(rows, schema=FOUND), path)


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


def _write(found: pa.Table, recipe: Recipe, metadata: Mapping[bytes, bytes]) -> None:
    """The index: rows of FOUND in one order; copies, and what is damaged, as rejects."""
    counts = pc.value_counts(found.filter(pc.not_equal(found["key"], ""))["key"])
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    is_damaged = pc.and_(pc.not_equal(found["key"], ""), pc.not_equal(found["detail"], ""))
    is_special = pc.or_(pc.is_in(found["key"], value_set=several), is_damaged)
    pictures: dict[str, list[Reject | Picture]] = defaultdict(list)
    for row in found.filter(is_special).to_pylist():
        pictures[row["key"]].append(Picture(uri=row["source"], damage=row["detail"], about=row["about"]))
    judged = [
        {"key": item.key, "source": item.source, "reason": item.reason, "detail": item.detail, "about": ""}
        if isinstance(item, Reject)
        else {"key": key, "source": item.uri, "reason": "", "detail": item.damage, "about": item.about}
        for key, of_key in pictures.items()
        for _, item in _unique(key, of_key, recipe.image_source, recipe.images.keeps_damaged)
    ]
    plain = found.filter(pc.invert(is_special)).select(FOUND.names)
    table = pa.concat_tables([plain, pa.Table.from_pylist(judged, schema=FOUND)])
    order = [(name, "ascending") for name in ("key", "source", "reason")]
    table = table.sort_by(order).select([*_REJECT, "about"]).replace_schema_metadata(metadata or None)
    _write_table(table, index_path(recipe.out))


def _write_table(table: pa.Table, path: str) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    with files.atomic_write(path) as file:
        file.write(buffer.getbuffer())


def _metadata_of(path: str) -> dict[bytes, bytes]:
    try:
        return dict(pq.read_schema(io.BytesIO(files.read_bytes(path))).metadata or {})
    except (FileNotFoundError, pa.ArrowException):
        return {}
