"""A build: one set of shards with a name that stands for everything that decides its bytes; and how it becomes the
current one.

Order matters: shards, rejects, summary and index are complete before the manifest names them, and only then does the
old build go. Killed anywhere in between, OUT holds one whole dataset, old or new.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from florenz.exports.index import FOLDER as INDEX
from florenz.exports.index import index_files
from florenz.languages.identification import find_model
from florenz.limits.printable import printable
from florenz.limits.reading import read_whole
from florenz.limits.table import RECORD_BYTES
from florenz.pipeline.answers.makers import Makers
from florenz.pipeline.answers.surveyed import Survey
from florenz.pipeline.assemble.books import BooksError, Tally, from_json, imbalances, rejected_counts
from florenz.pipeline.assemble.code import code_checksum
from florenz.pipeline.assemble.concepts import fingerprint_of
from florenz.pipeline.assemble.graph import rejects_path, summary_path
from florenz.pipeline.assemble.indexing import index_shards
from florenz.pipeline.assemble.score_rules import ScoreRule
from florenz.pipeline.assemble.texts import FOLDER as WORKING
from florenz.pipeline.assemble.word_lists import fingerprints_of
from florenz.pipeline.assemble.work import Assembly
from florenz.pipeline.image_index import Index
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.scenes import concepts_table
from florenz.pipeline.scored import SCORED
from florenz.recipes.fingerprints import deciding, fingerprint
from florenz.scorers.contract import ScorerSettings, kind_of
from florenz.shards.manifest import NAME as MANIFEST_NAME
from florenz.shards.manifest import (
    Manifest,
    ManifestError,
    count_examples,
    manifest_path,
    read_manifest,
    shard_folders,
    shard_path,
    write_manifest,
)
from florenz.shards.plan import HELDOUT
from florenz.shards.schema import SCHEMA_VERSION
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.errors import OutLost
from florenz.stores.publication import Publication
from florenz.stores.seals import check_seal, sha256s_of


class EmptyBuild(ValueError):
    """A build without a sample, which must not take over from one that has some."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What an assembly left: its shards, its books, the SHA-256 of its rejects ("" in an older one), and language ->
    fingerprint of each alignment table (none in an older one).
    """

    shards: tuple[ShardInfo, ...]
    books: Tally
    rejects_sha256: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)


class BrokenSummary(ValueError):
    """A build's summary can't be read as it was written; the build has to be assembled again."""


def assembly_of(recipe: Recipe, makers: Makers) -> Assembly:
    """What the recipe says about a build; it has no name yet. Raises RecipeError, of a list of words or a table of
    concepts that is gone.
    """
    table = concepts_table(recipe)
    return Assembly(
        languages=recipe.languages,
        held_out=recipe.held_out_languages,
        styles=recipe.styles,
        seed=recipe.seed,
        max_bytes=recipe.images.max_bytes,
        max_pixels=recipe.images.max_pixels,
        max_side_ratio=recipe.images.max_side_ratio,
        limits=recipe.limits,
        filters=recipe.filters,
        shards=recipe.shards,
        licence=recipe.images.licence,
        captioners={style: str(maker) for style, maker in makers.captioners.items()},
        translators={language: tuple(map(str, several)) for language, several in makers.translators.items()},
        rephrasers={language: str(maker) for language, maker in makers.rephrasers.items()},
        word_lists=fingerprints_of(recipe.filters.toxicity),
        withheld=recipe.coverage.withheld,
        concepts=fingerprint_of(table, recipe.coverage.withheld),
        concepts_table=table,
        score_rules=tuple(_rule(what, settings) for what, settings in recipe.scorers.items()),
        images=recipe.image_source,
        out=recipe.out,
    )


def _rule(what: str, settings: ScorerSettings) -> ScoreRule:
    facts = kind_of(settings).facts(settings)
    return ScoreRule(
        what=what,
        reason=SCORED[what].reason,
        threshold=settings.threshold,
        lower_is_better=facts.lower_is_better,
    )


def build_name(assembly: Assembly, survey: Survey) -> str:
    """16 hex digits over all that decides bytes: the assembly, its code, language ID, images, answers, and what was
    rejected while reading. Sources as samples have them: the same pictures in another folder give the same build.
    """
    return fingerprint(
        {
            "schema_version": SCHEMA_VERSION,
            "code": code_checksum(),
            "language_id": language_id_checksum(),
            "second_opinion": version("py3langid"),  # its model comes with it
            "assembly": _that_decides(assembly),
            "rows": survey.rows(),
        }
    )


def _that_decides(assembly: Assembly) -> dict[str, Any]:
    """What came later is in it only where it is on. Of word lists what they hold decides, and not where they lie; of
    rules for images, which images there are, as `rows` have it.
    """
    record = {name: value for name, value in asdict(assembly).items() if name in deciding(assembly)}
    later = {name for name in ("word_lists", "withheld", "concepts", "score_rules") if not record[name]}
    filters = {name: value for name, value in record["filters"].items() if name not in ("toxicity", "images")}
    return {name: value for name, value in record.items() if name not in later} | {"filters": filters}


def language_id_checksum() -> str:
    return hashlib.sha256(files.read_bytes(find_model())).hexdigest()


def is_assembled(out: str, build: str) -> bool:
    """Whether this build is complete: summary (written last) and rejects are there, its shards at their full size."""
    try:
        summary = read_summary(out, build)
    except (FileNotFoundError, BrokenSummary):
        return False
    return _has_shards(out, build, summary) and files.exists(rejects_path(out, build))


def _has_shards(out: str, build: str, summary: Summary) -> bool:
    """At their full size: a listing for each folder, where looking into each shard would be a request for each."""
    folders = shard_folders(out, build)
    sizes = {path: size for folder in folders for path, size in files.sizes_below(folder).items()}
    return all(sizes.get(shard_path(out, build, shard.path)) == shard.bytes for shard in summary.shards)


def damage_of(out: str, build: str) -> list[str]:
    """A line for each file of a build, which should be complete, whose bytes are not those that were written.

    Local files alone: a store in the network has checksums of its own, and reading all of it again would cost hours.
    """
    try:
        summary = read_summary(out, build)
    except FileNotFoundError:
        return []
    except BrokenSummary as problem:
        return [str(problem)]
    if files.local_path(out) is None:
        return []
    wanted = {shard_path(out, build, shard.path): shard.sha256 for shard in summary.shards}
    if summary.rejects_sha256:
        wanted[rejects_path(out, build)] = summary.rejects_sha256
    found = zip(wanted, sha256s_of(wanted), strict=True)
    return [f"{path} is damaged or gone" for path, sha256 in found if sha256 != wanted[path]]


def current_build(out: str) -> str | None:
    """The build that OUT's manifest names; None without a manifest that can be read."""
    try:
        return read_manifest(out).build
    except ManifestError:
        return None


def read_summary(out: str, build: str) -> Summary:
    """`FileNotFoundError` without one. Raises BrokenSummary."""
    path = summary_path(out, build)
    try:
        with files.open_read(path) as file:
            record = json.loads(read_whole(file, RECORD_BYTES, path))
        check_seal(record)
        return Summary(
            shards=tuple(ShardInfo(**info) for info in record["shards"]),
            books=from_json(record["books"]),
            rejects_sha256=record.get("rejects_sha256", ""),
            tables=dict(record.get("alignment", {})),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise BrokenSummary(f"{path} is damaged ({' '.join(str(problem).split())})") from problem


def publish(
    recipe: Recipe,
    build: str,
    summary: Summary,
    index: Index,
    models: dict[str, Any],
    publication: Publication | None = None,
) -> Manifest:
    """Check the books, write the index, swap the manifest, then drop the builds before, save the last
    `recipe.keep_builds`. Doing it again changes nothing.

    `publication`: made when OUT was taken, so that what others have published since is not replaced.

    Raises:
        OutLost: OUT was taken over, or published in, by another run; the manifest is the other's.
        BooksError, WrongCount: something was lost on the way; the manifest stays as it was.
        EmptyBuild: not one sample was written; the same.
    """
    if not any(shard.samples for shard in summary.shards):
        why = f"rejects/{build}.parquet says why"
        raise EmptyBuild(f"every image was rejected: nothing is published, what lies in OUT stays ({why})")
    if problems := imbalances(summary.books):
        raise BooksError("the books don't balance, nothing is published: " + "; ".join(problems))
    manifest = Manifest(
        build=build,
        languages=recipe.languages,
        held_out=recipe.held_out_languages,
        shards=summary.shards,
        counts=count_examples(summary.shards),
        rejected=rejected_counts(summary.books),
        inputs={
            "source": printable(recipe.image_source),
            "found": index.num_found,
            "images": index.num_images,
            "rejects_sha256": summary.rejects_sha256,
        },
        recipe=recipe.to_dict(),
        models=models,
        filters={"language_id_sha256": language_id_checksum()},
    )
    publication = publication or Publication(manifest_path(recipe.out))
    publication.check()
    if not _has_shards(recipe.out, build, summary):
        raise OutLost(f"shards of {build} are gone from {recipe.out!r}: another run has cleaned up there")
    index_shards(recipe, build, summary.shards)
    kept = _builds_to_keep(recipe, build)
    _keep_manifest(recipe.out, kept)
    _write_json(_history_path(recipe.out), [*kept, build])
    write_manifest(recipe.out, manifest, publication.write)
    _remove_builds_but(recipe.out, {build, *kept}, publication)
    return manifest


def _builds_to_keep(recipe: Recipe, build: str) -> list[str]:
    """The last `keep_builds` before this one that are still whole, oldest first."""
    earlier = [name for name in published_builds(recipe.out) if name != build and is_assembled(recipe.out, name)]
    return earlier[max(0, len(earlier) - recipe.keep_builds) :]


def published_builds(out: str) -> list[str]:
    """The builds that lie in OUT, the current one last."""
    try:
        names = json.loads(files.read_bytes(_history_path(out)))
    except (FileNotFoundError, ValueError):  # damaged: earlier builds are then kept by nothing, the current one stays
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def kept_manifest_path(out: str, build: str) -> str:
    """Where the manifest of an earlier build lies: copied to OUT/manifest.json it is the current one again."""
    return files.join(out, "builds", f"{build}.manifest.json")


def _keep_manifest(out: str, kept: list[str]) -> None:
    """The build that is about to be replaced keeps its manifest, if it stays."""
    current = current_build(out)
    if current in kept:
        with files.atomic_write(kept_manifest_path(out, current)) as file:
            file.write(files.read_bytes(files.join(out, MANIFEST_NAME)))


def _history_path(out: str) -> str:
    return files.join(out, "builds", "published.json")


def _write_json(path: str, record: Any) -> None:
    with files.atomic_write(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def _remove_builds_but(out: str, builds: set[str], publication: Publication) -> None:
    kept = {_history_path(out)}
    for build in builds:
        kept |= {rejects_path(out, build), summary_path(out, build), kept_manifest_path(out, build)}
    folders = tuple(folder for build in builds for folder in shard_folders(out, build))
    kept |= {file.path for build in builds for file in index_files(out, build, read_summary(out, build).shards)}
    for folder in ("shards", HELDOUT, INDEX, "rejects", "builds", WORKING):
        root = files.join(out, folder)
        for path in files.list_files(root):
            if path not in kept and not path.startswith(folders):
                publication.check()  # each time: what a run that took over is writing is not ours to remove
                files.remove(path)
                with contextlib.suppress(OSError):  # not empty yet, not a local folder, or the root itself
                    parent = os.path.dirname(path)
                    if parent != root:
                        os.rmdir(parent)
