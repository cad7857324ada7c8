"""Images leave a dataset for good: shards, index, ledger, rejects and reports. No model is asked (`make remove`).

    OUT/ledger/removed.txt            first: from here on no run takes these images
    OUT/builds/<build>.removal.json   which shards of a build are to be written anew; gone when the build is whole again

Only shards that hold one of the images are written anew, in their place; the others keep their bytes. Killed anywhere,
the same command goes on: what is left to do is found by looking, and the note says of which shards the build's summary
may be wrong. A build keeps its name, so that its links stay; the next `make dataset` makes another one, without them.

The books stay as they were, since these images did go through all steps; those that were written are booked as
rejected of step write, with the reason "removed".
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from florenz.exports.index import holds_any, index_files, write_index
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.assemble.books import KEPT, Tally, rejected, rejected_counts
from florenz.pipeline.assemble.build import Summary, kept_manifest_path, published_builds, read_summary
from florenz.pipeline.assemble.graph import rejects_path, remove_working_folders, write_summary
from florenz.pipeline.assemble.kept_tables import remove_others
from florenz.pipeline.assemble.rejects import iter_rejects, leave_out
from florenz.pipeline.index import forget_images
from florenz.pipeline.report import write_report_again
from florenz.pipeline.tombstones import add_tombstones
from florenz.pipeline.workers.waiting_packs import remove_packs
from florenz.reports import judging
from florenz.reports.page import NAME as PAGE
from florenz.reports.page import write_page
from florenz.reports.preview import preview_path
from florenz.shards.manifest import (
    Manifest,
    count_examples,
    manifest_path,
    read_manifest,
    read_manifest_file,
    shard_path,
    write_manifest,
)
from florenz.shards.plan import HELDOUT
from florenz.shards.reader import iter_samples
from florenz.shards.writer import ShardInfo, write_shard
from florenz.stores import files
from florenz.stores.lock import lock_out
from florenz.stores.publication import Publication
from florenz.stores.seals import sha256_of

REMOVED = "removed"


class RemovalError(ValueError):
    """Nothing was removed; one line."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What went: images and shards written anew of all builds, rejects, answers of the ledger, images of its index."""

    images: int
    shards: int
    rejects: int
    answers: int
    listed: int


def remove(out: str, keys: Collection[str]) -> Removal:
    """Remove these images, and whatever an earlier call has left undone.

    Raises:
        ManifestError, RemovalError, OutInUse, BrokenSummary: nothing was done.
        ShardError, SchemaError, OSError: stopped; the same call goes on.
    """
    with lock_out(out) as held, files.pinned(out):
        publication = Publication(manifest_path(out), held)
        manifest = read_manifest(out)
        if manifest.schema_version == 1:
            raise RemovalError(f"{out} holds a build of schema version 1: run make dataset with it once, then remove")
        kept_builds = [build for build in published_builds(out) if build != manifest.build]
        summaries = {build: read_summary(out, build) for build in (*kept_builds, manifest.build)}
        files.remove_partials(out)
        remove_working_folders(out)
        remove_packs(out)  # they hold what sidecars say
        remove_others(out, ())  # they hold texts
        gone = add_tombstones(out, keys)
        listed = forget_images(out, gone)
        answers = Ledger(out).forget_images(gone)
        images = shards = rejects = 0
        for build, summary in summaries.items():
            now = read_manifest_file(kept_manifest_path(out, build)) if build != manifest.build else manifest
            removed = _Build(out=out, build=build, gone=gone).remove(summary)
            images += removed.images
            shards += removed.shards
            rejects += removed.rejects
            _write_manifest(out, now, removed.summary, None if build != manifest.build else publication)
            files.remove(_note_path(out, build))
        _draw_again(out, gone)
        return Removal(images=images, shards=shards, rejects=rejects, answers=answers, listed=listed)


@dataclass(frozen=True, kw_only=True)
class _Removed:
    """Of one build. summary: as it is now."""

    images: int
    shards: int
    rejects: int
    summary: Summary


@dataclass(frozen=True, kw_only=True)
class _Build:
    out: str
    build: str
    gone: Collection[str]

    def remove(self, summary: Summary) -> _Removed:
        """With a note written down before the first file changes: of what it names, the summary may be wrong by now."""
        numbered = index_files(self.out, self.build, summary.shards)
        noted = self._note(summary)
        holding = {file.shard.path for file in numbered if holds_any(self.out, self.build, file, self.gone)}
        wrong = holding | (noted or set())
        num_rejects = sum(reject.key in self.gone for reject in iter_rejects(self._rejects))
        if wrong - (noted or set()) or (num_rejects and noted is None):
            _write_json(_note_path(self.out, self.build), {"shards": sorted(wrong)})
        for file in numbered:
            if file.shard.path in wrong:
                files.remove(file.path)
        now = {shard.path: self._shard_anew(shard) for shard in summary.shards if shard.path in wrong}
        rejects_sha256 = summary.rejects_sha256
        if num_rejects:
            rejects_sha256 = leave_out(self._rejects, self.gone)
        elif noted is not None:
            rejects_sha256 = sha256_of(self._rejects) or ""
        shards = tuple(found for shard in summary.shards if (found := now.get(shard.path, shard)) is not None)
        if len(shards) < len(summary.shards):  # files of the index are numbered by shard
            for file in numbered:
                files.remove(file.path)
        num_images = _num_images(summary.shards) - _num_images(shards)
        books = _booked(summary.books, num_images)
        left = Summary(shards=shards, books=books, rejects_sha256=rejects_sha256, tables=summary.tables)
        if left != summary:
            write_summary(self.out, self.build, left.shards, left.books, left.rejects_sha256, left.tables)
        write_index(self.out, self.build, left.shards)
        return _Removed(images=num_images, shards=len(wrong), rejects=num_rejects, summary=left)

    @property
    def _rejects(self) -> str:
        return rejects_path(self.out, self.build)

    def _note(self, summary: Summary) -> set[str] | None:
        """Names of shards, as an earlier call left them that was stopped; None without one."""
        try:
            return set(json.loads(files.read_bytes(_note_path(self.out, self.build)))["shards"])
        except FileNotFoundError:
            return None
        except ValueError:  # damaged: any of them may be wrong
            return {shard.path for shard in summary.shards}

    def _shard_anew(self, shard: ShardInfo) -> ShardInfo | None:
        """The same shard without these images; None where nothing is left of it."""
        path = shard_path(self.out, self.build, shard.path)
        try:
            left = (sample for sample in iter_samples(path) if sample.image not in self.gone)
            info = write_shard(left, path, shard.split)
        except FileNotFoundError:  # an earlier call found that nothing was left
            return None
        if info is None:
            files.remove(path)
        return info


def _note_path(out: str, build: str) -> str:
    return files.join(out, "builds", f"{build}.removal.json")


def _write_json(path: str, record: dict[str, list[str]]) -> None:
    with files.atomic_write(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def _num_images(shards: Collection[ShardInfo]) -> int:
    return sum(shard.samples for shard in shards if shard.split != HELDOUT)  # whose images are val's


def _booked(books: Tally, num_images: int) -> Tally:
    if not num_images:
        return books
    booked = books.copy()
    booked["write", "", KEPT] -= num_images
    booked["write", "", rejected(REMOVED)] += num_images
    return booked


def _write_manifest(out: str, manifest: Manifest, summary: Summary, publication: Publication | None) -> None:
    """Of the current build by its publication; of a kept one in its place."""
    now = replace(
        manifest,
        shards=summary.shards,
        counts=count_examples(summary.shards),
        rejected=rejected_counts(summary.books),
        inputs={**manifest.inputs, "rejects_sha256": summary.rejects_sha256},
    )
    if now == manifest:
        return
    if publication is not None:
        write_manifest(out, now, publication.write)
        return

    def keep(content: bytes) -> None:
        with files.atomic_write(kept_manifest_path(out, manifest.build)) as file:
            file.write(content)

    write_manifest(out, now, keep)


def _draw_again(out: str, gone: Collection[str]) -> None:
    """Pages that may show one of them: made anew from what is left, or taken away."""
    for key in gone:
        files.remove(preview_path(out, key))
    judging.forget_images(out, gone)
    manifest = read_manifest(out)
    write_report_again(out, manifest, read_summary(out, manifest.build).books)
    if files.exists(files.join(out, PAGE)):
        write_page(out, judging.judgements(out, manifest.build))
