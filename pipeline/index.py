"""Step 1, read: which images there are, each with its key and where its bytes lie.

A graph of its own, because all others start from its result and none should hash every image again. The index
(`image_index.py`) holds references, by ranges of keys, and is made anew where a file of the source has changed, come or
gone; only such files are read (`known_sources.py`). Rows are grouped twice: by file, to be kept for the next run, and
by key, where copies meet.

Each picture is also proved here (`images/proof.py`), once: before anything is paid for, and in old datasets too. A
damaged one is rejected, or, with `on_damage = "reencode"`, stays and is noted, so that a shard gets it written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton

from florenz.filters.image_size import ImageRules
from florenz.pipeline.copies import judged
from florenz.pipeline.hashing import Measure, references, rows_of
from florenz.pipeline.image_index import (
    Index,
    IndexPart,
    drop_images,
    index_path,
    index_path_before,
    is_whole,
    part_path,
    parts_folder,
    read_index,
    read_range,
    write_index,
    write_part,
)
from florenz.pipeline.known_sources import (
    CHANGED,
    FOUND,
    LIKENESS,
    PASSING,
    SIZE,
    Group,
    Row,
    found_folder,
    found_path,
    groups_of,
    kept_files,
    known_or_changed,
    read_found,
    readers_of,
    write_found,
)
from florenz.pipeline.likenesses import NEAR_FIELDS, find_near
from florenz.pipeline.listing import Listing, remove_parts
from florenz.pipeline.packing import LayDown, PackByKey, unpack
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.proofs import MAX_VERDICTS, proofs_path, read_proofs, write_proofs
from florenz.pipeline.ranges import digits_for, range_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import graph, packs_waiting, spread, workers_progress
from florenz.pipeline.tombstones import drop_rows, read_tombstones
from florenz.pipeline.unwanted import sifted
from florenz.pipeline.workers.given import given
from florenz.stores import files

MAX_TOGETHER = 64  # batches of what is in files
BYTES_FOR_A_PROCESS = 2**29  # 10 s of proving photographs


def build_index(recipe: Recipe, listing: Listing, progress: ProgressAddress) -> Index:
    """Run the graph over those files that are new or changed, of those that `listing_of` found, which is used up."""
    if recipe.images.limit is not None:
        # "The first N in sorted order" is a sequence: one worker lists the references, hashing is still spread out.
        folder = files.join(recipe.out, "ledger", "found-some")
        index = _read(recipe, [recipe.image_source], folder, "", 1, progress)
        write_index(index, "")
        _remove_but(files.list_files(folder), ())
        return index
    readers = readers_of(f"{recipe.images.max_bytes} {recipe.limits}")
    digest = _digest(recipe, listing, readers) if listing.is_stamped else ""
    if digest and (unchanged := read_index(recipe.out, digest)) is not None and is_whole(unchanged):
        return unchanged
    folder, groups, num_bytes = found_folder(recipe.out), groups_of(recipe.out, listing), listing.num_bytes
    listing.close()  # what it holds would be held while the graph runs
    index = _read(recipe, groups, folder, readers, listing.digits, progress, num_bytes)
    remove_parts(recipe.out)
    write_index(index, "" if index.rejected.keys() & set(PASSING.to_pylist()) else digest)
    _remove_but(filter(files.exists, [index_path_before(recipe.out)]), ())
    _remove_but(kept_files(recipe.out), [found_path(folder, group.name) for group in groups])
    return index


def _digest(recipe: Recipe, listing: Listing, readers: str) -> str:
    later = _print_of(read_tombstones(recipe.out)) + _print_of_rules(recipe.filters.images)
    rules = f"{listing.digest(readers)} {recipe.images.keeps_damaged} {recipe.image_source}{later}"
    return rules.encode("utf-8", "surrogateescape").hex()


def _print_of(removed: Collection[str]) -> str:
    """Another index once an image was removed, and the same as ever where none was."""
    return f" {hashlib.sha256(repr(sorted(removed)).encode()).hexdigest()}" if removed else ""


def _print_of_rules(images: ImageRules | None) -> str:
    """The same as ever where none are given."""
    return f" {images}" if images else ""


def _needed(rules: ImageRules | None) -> tuple[str, ...]:
    """What has to be known of each image. Sizes too where likeness is: who is too small is compared with nobody."""
    if rules is None:
        return ()
    return (SIZE,) if rules.max_hash_distance is None else (SIZE, LIKENESS)


def _read(
    recipe: Recipe,
    sources: Sequence[Group | str],
    folder: str,
    readers: str,
    digits: int,
    progress: ProgressAddress,
    num_bytes: int = 0,
) -> Index:
    """Run the graph, and read what it found; the index is not complete yet. folder, digits: of what is kept by file.
    num_bytes: of all files, 0 where it is not known.
    """
    running = spread(recipe.running, num_bytes // BYTES_FOR_A_PROCESS)
    out, telling = recipe.out, workers_progress(running, progress)
    known = read_proofs(out)
    measure = Measure(
        needed=_needed(recipe.filters.images),
        max_pixels=recipe.images.max_pixels,
        max_side_ratio=recipe.images.max_side_ratio,
    )
    _remove_but(filter(files.exists, [index_path(out)]), ())  # its parts are about to change
    result = files.join(out, "ledger", "images", "parts.new.json")
    with packs_waiting(running) as waiting, graph(running, "read", progress) as pipeline:
        removed = AsSingleton(pipeline | "removed images" >> given([read_tombstones(out)], running))
        looked = (
            pipeline
            | "sources" >> given(sources, running)
            | "known"
            >> beam.FlatMap(_known_or_changed, readers=readers, removed=removed, needed=measure.needed).with_outputs(
                CHANGED, main="known"
            )
        )
        new = (
            looked[CHANGED]
            | "spread files" >> beam.Reshuffle()
            | "read" >> beam.FlatMap(references, count=recipe.images.limit, limits=recipe.limits)
            | "lay down" >> beam.ParDo(LayDown(waiting))
            | "spread" >> beam.Reshuffle()
            | "some together" >> beam.BatchElements(min_batch_size=1, max_batch_size=MAX_TOGETHER)
            | "hash and prove"
            >> beam.FlatMap(
                rows_of,
                known=AsSingleton(pipeline | "known verdicts" >> given([known], running)),
                removed=removed,
                max_bytes=recipe.images.max_bytes,
                limits=recipe.limits,
                digits=digits,
                progress=telling,
                measure=measure,
                waiting=waiting,
            )
        )
        # Packed before they meet: what meets is held by the in-process runner, of which each row would be 400 bytes.
        packed = (
            looked["known"] | "pack known by file" >> beam.ParDo(PackByKey(waiting)),
            new | "pack new by file" >> beam.ParDo(PackByKey(waiting)),
        )
        found = (
            packed
            | beam.Flatten()
            | "by file" >> beam.GroupByKey()
            | "keep" >> beam.MapTuple(partial(_keep, folder=folder, readers=readers, waiting=waiting))
        )
        _write_parts(found, recipe, folder, result, waiting)
    index = _noted_parts(out, result)
    _remove_but(files.list_files(parts_folder(out)), [part_path(out, part.range) for part in index.parts])
    if index.num_images + len(known) <= MAX_VERDICTS:
        _keep_verdicts(index, known)
    return index


def _write_parts(found: Any, recipe: Recipe, folder: str, result: str, waiting: str) -> None:
    """The rest of the graph: from what was kept by file to parts by range of keys, which are noted in `result`."""
    rules = recipe.filters.images
    digits_of_keys = (
        found
        | "how many" >> beam.MapTuple(lambda _, number: number)
        | "all" >> beam.CombineGlobally(sum)
        | "digits" >> beam.Map(digits_for)
    )
    ranged = partial(beam.FlatMap, _found, digits=AsSingleton(digits_of_keys), folder=folder)
    packed = found | "found" >> ranged() | "pack by key" >> beam.ParDo(PackByKey(waiting))
    if rules is not None and rules.max_hash_distance is not None:
        # Apart: Flink's fuser loses a collection that a Flatten and another step both read.
        compared = found | "found, to compare" >> ranged()
        near = find_near(
            compared, rules, AsSingleton(digits_of_keys), keeps_damaged=recipe.images.keeps_damaged, waiting=waiting
        )
        packed_near = near | "pack near by key" >> beam.ParDo(PackByKey(waiting))
        packed = (packed, packed_near) | "with near ones" >> beam.Flatten()
    _ = (
        packed
        | "by key" >> beam.GroupByKey()
        | "write part"
        >> beam.MapTuple(
            partial(
                _written,
                out=recipe.out,
                source=recipe.image_source,
                keeps_damaged=recipe.images.keeps_damaged,
                wanted=rules,
                waiting=waiting,
            )
        )
        | "all parts" >> beam.combiners.ToList()
        | "note parts" >> beam.Map(_note_parts, path=result)
    )


def expected_images(recipe: Recipe, listing: Listing) -> int | None:
    """How many there are to read, for the progress bar; None where tars or Parquet files would have to be opened."""
    if listing.num_archives:
        return None
    return listing.num_files if recipe.images.limit is None else min(recipe.images.limit, listing.num_files)


def _known_or_changed(
    source: Group | str, readers: str, removed: Collection[str], needed: Collection[str]
) -> Iterator[Any]:
    if isinstance(source, Group):
        yield from known_or_changed(source, readers, removed, needed)
    else:
        yield beam.pvalue.TaggedOutput(CHANGED, source)


def forget_images(out: str, keys: Collection[str]) -> int:
    """Drop all that step 1 has written down of these images; how many rows of the index went."""
    dropped = drop_images(out, keys)
    for path in kept_files(out):
        drop_rows(path, keys)
    verdicts = read_proofs(out)
    if kept := {key: verdict for key, verdict in verdicts.items() if key not in keys}:
        if len(kept) < len(verdicts):
            write_proofs(out, kept)
    elif verdicts:
        files.remove(proofs_path(out))
    return dropped


def _keep(group: str, packs: Iterable[bytes], folder: str, readers: str, waiting: str) -> tuple[str, int]:
    return group, write_found(folder, group, map(tuple, unpack(packs, waiting)), readers)


def _found(kept: tuple[str, int], digits: int, folder: str) -> Iterator[tuple[str, Row]]:
    """What was kept of a group, under the ranges of its keys. Not handed on by the step before: it would be held."""
    group, _ = kept
    for row in read_found(folder, group):
        yield range_of(row[1] or row[0], digits), row


def _written(
    its_range: str,
    packs: Iterable[bytes],
    out: str,
    source: str,
    keeps_damaged: bool,
    wanted: ImageRules | None,
    waiting: str,
) -> IndexPart:
    unpacked = list(unpack(packs, waiting))
    near = [row for row in unpacked if len(row) == NEAR_FIELDS]
    found = [row for row in unpacked if len(row) > NEAR_FIELDS]
    rows = pa.table(
        dict(zip(FOUND.names[2:], zip(*found, strict=True), strict=True)),
        schema=pa.schema([FOUND.field(name) for name in FOUND.names[2:]]),
    )
    images = judged(rows, source, keeps_damaged)
    if wanted is not None:
        sizes = dict(zip(rows["key"].to_pylist(), rows[SIZE].to_pylist(), strict=True))
        images = sifted(images, sizes, near, wanted)
    return write_part(out, its_range, images)


def _note_parts(parts: list[IndexPart], path: str) -> None:
    """What the launcher reads when the graph has ended."""
    with files.atomic_write(path) as file:
        file.write(json.dumps([asdict(part) for part in parts]).encode())


def _noted_parts(out: str, path: str) -> Index:
    parts = [IndexPart(**part) for part in json.loads(files.read_bytes(path))]
    parts.sort(key=lambda part: part.range)
    return Index(parts=tuple(parts), digits=len(parts[0].range) if parts else 1, out=out)


def _keep_verdicts(index: Index, known: Mapping[str, str]) -> None:
    verdicts = dict(known)
    for part in index.parts:
        found = read_range(index.out, part.range)
        verdicts |= dict.fromkeys(found.images, "") | found.damaged
        verdicts |= {reject.key: reject.detail for reject in found.rejects if reject.reason == "damaged_image"}
    if verdicts != known:
        write_proofs(index.out, verdicts)


def _remove_but(paths: Iterable[str], kept: Iterable[str]) -> None:
    for path in set(paths) - set(kept):
        files.remove(path)
