"""Steps 4 to 6 as one graph: ledger -> filter -> cover -> write. No model is asked.

A pure function of image bytes, ledger and recipe: the same input gives the same bytes, whatever the order, the number
of workers or how often it was killed. Shards get their final names only when complete, in a folder that no manifest
names yet; the graph ends with a summary of the build, and `build.publish` makes the manifest of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from florenz.filters.chain import FilterChain
from florenz.images.decoding import BadImage, ShardImage, shard_jpeg
from florenz.images.sources import ImageRef, key_of, read_image_bytes
from florenz.languages.identification import LanguageIdentifier
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.assemble.books import KEPT, Tally, rejected, to_json
from florenz.pipeline.assemble.filtering import CoveredImage, cover, filter_texts, gather
from florenz.pipeline.assemble.rejects import Reject, write_rejects
from florenz.pipeline.index import read_index
from florenz.pipeline.progress import ProgressAddress, advance
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.local import local_graph
from florenz.shards.manifest import shard_path
from florenz.shards.plan import plan_shards, shard_name
from florenz.shards.schema import Example, Sample
from florenz.shards.writer import ShardInfo, write_shard
from florenz.stores import files

Slot = tuple[str, int, int]  # split, shard number in the split, place in the shard


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """One build to be made: where from, where to, under which name. `provenance` goes into every sample."""

    recipe: Recipe
    build: str
    caption_fingerprint: str
    translation_fingerprint: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WrittenShard:
    """`info` is None where every image of the shard turned out unreadable."""

    info: ShardInfo | None
    rejects: tuple[Reject, ...]
    tally: Tally


def summary_path(out: str, build: str) -> str:
    return files.join(out, "builds", f"{build}.json")


def rejects_path(out: str, build: str) -> str:
    return files.join(out, "rejects", f"{build}.parquet")


def run_assembly(assembly: Assembly, progress: ProgressAddress) -> None:
    recipe = assembly.recipe
    with local_graph(recipe) as pipeline:
        start = pipeline | "start" >> beam.Create([None])
        images = start | "images" >> beam.FlatMap(lambda _: read_index(recipe.out).images.items())
        captions = start | "captions" >> beam.FlatMap(lambda _: _captions(assembly))
        languages = pipeline | "languages" >> beam.Create(recipe.languages)
        translations = languages | "translations" >> beam.FlatMap(lambda language: _translations(assembly, language))

        covered = (
            {"source": images, "captions": captions, "translations": translations}
            | "by image" >> beam.CoGroupByKey()
            | "gather" >> beam.FlatMapTuple(partial(_gather, recipe=recipe))
            | "filter" >> beam.Map(filter_texts, chain=FilterChain(recipe.filters))
            | "cover" >> beam.Map(_cover, recipe=recipe, progress=progress)
        )
        slots = (
            covered
            | "with examples" >> beam.Filter(lambda image: bool(image.examples))
            | "keys" >> beam.Map(lambda image: image.key)
            | "all keys" >> beam.combiners.ToList()
            | "plan shards" >> beam.Map(_slots, recipe=recipe)
        )
        written = (
            covered
            | "place" >> beam.FlatMap(_place, slots=AsSingleton(slots))
            | "by shard" >> beam.GroupByKey()
            | "write" >> beam.MapTuple(partial(_write, assembly=assembly))
        )
        outcomes = (covered, written) | "outcomes" >> beam.Flatten()
        tally = (
            outcomes
            | "tallies" >> beam.Map(lambda outcome: outcome.tally)
            | "add up" >> beam.CombineGlobally(_add_tallies)
        )
        rejects = (
            outcomes
            | "rejects" >> beam.FlatMap(lambda outcome: outcome.rejects)
            | "all rejects" >> beam.combiners.ToList()
        )
        infos = written | "infos" >> beam.Map(lambda shard: shard.info) | "all infos" >> beam.combiners.ToList()
        _ = start | "summary" >> beam.Map(
            _summarise,
            assembly=assembly,
            tally=AsSingleton(tally),
            rejects=AsSingleton(rejects),
            infos=AsSingleton(infos),
        )


def _captions(assembly: Assembly) -> Iterator[tuple[str, CaptionRow]]:
    rows = Ledger(assembly.recipe.out).read_captions(assembly.caption_fingerprint)
    return ((row.key, row) for row in rows.values())


def _translations(assembly: Assembly, language: str) -> Iterator[tuple[str, TranslationRow]]:
    rows = Ledger(assembly.recipe.out).read_translations(language, assembly.translation_fingerprint)
    return ((row.key, row) for row in rows.values())


def _gather(key: str, found: Mapping[str, Iterable[Any]], recipe: Recipe) -> Iterator[Any]:
    """Nothing for answers whose image is no longer among the sources."""
    for source in found["source"]:
        yield gather(
            key,
            source,
            list(found["captions"]),
            list(found["translations"]),
            styles=recipe.captioner.styles,
            languages=recipe.languages,
        )


def _cover(texts: Any, recipe: Recipe, progress: ProgressAddress) -> CoveredImage:
    advance(progress, "assemble", 1)
    return cover(texts, languages=recipe.languages, held_out=recipe.held_out_languages, identifier=LanguageIdentifier())


def _slots(keys: list[str], recipe: Recipe) -> dict[str, Slot]:
    plans = plan_shards(
        keys,
        seed=recipe.seed,
        val_fraction=recipe.shards.val_fraction,
        images_per_shard=recipe.shards.images_per_shard,
    )
    return {key: (plan.split, plan.index, place) for plan in plans for place, key in enumerate(plan.keys)}


def _place(image: CoveredImage, slots: dict[str, Slot]) -> Iterator[tuple[tuple[str, int], tuple[int, CoveredImage]]]:
    """The image under its shard; a validation image also under the shard of what is withheld from training."""
    if image.key not in slots:
        return
    split, index, place = slots[image.key]
    yield (split, index), (place, image)
    if split == "val" and image.withheld:
        yield ("val-heldout", index), (place, image)


def _write(slot: tuple[str, int], images: Iterable[tuple[int, CoveredImage]], assembly: Assembly) -> WrittenShard:
    split, index = slot
    tally: Tally = Counter()
    rejects: list[Reject] = []
    ordered = [image for _, image in sorted(images, key=lambda placed: placed[0])]
    samples = _samples(ordered, split, assembly, tally, rejects)
    info = write_shard(samples, shard_path(assembly.recipe.out, assembly.build, shard_name(split, index)), split)
    return WrittenShard(info=info, rejects=tuple(rejects), tally=tally)


def _samples(
    images: Iterable[CoveredImage], split: str, assembly: Assembly, tally: Tally, rejects: list[Reject]
) -> Iterator[Sample]:
    is_counted = split != "val-heldout"  # its images are those of val, which are in the books already
    for image in images:
        try:
            picture = _picture(image, assembly.recipe)
        except BadImage as bad:
            tally["write", "", rejected(bad.reason)] += is_counted
            if is_counted:
                rejects.append(
                    Reject(key=image.key, step="write", reason=bad.reason, detail=bad.detail, source=image.source)
                )
            continue
        tally["write", "", KEPT] += is_counted
        yield _sample(image, picture, image.examples if is_counted else image.withheld, assembly)


def _picture(image: CoveredImage, recipe: Recipe) -> ShardImage:
    data = read_image_bytes(ImageRef(uri=image.source), max_bytes=recipe.images.max_bytes)
    if key_of(data) != image.key:
        raise BadImage("unreadable_file", "its bytes have changed since it was captioned")
    return shard_jpeg(
        data,
        max_side_px=recipe.shards.max_side_px,
        quality=recipe.shards.jpeg_quality,
        max_pixels=recipe.images.max_pixels,
    )


def _sample(image: CoveredImage, picture: ShardImage, examples: tuple[Example, ...], assembly: Assembly) -> Sample:
    return Sample(
        key=image.key,
        jpeg=picture.jpeg,
        width=picture.width,
        height=picture.height,
        source=image.source,
        captions=dict(image.captions),
        examples=examples,
        provenance={**assembly.provenance, "build": assembly.build},
    )


def _add_tallies(tallies: Iterable[Tally]) -> Tally:
    total: Tally = Counter()
    for tally in tallies:
        total.update(tally)
    return total


def _summarise(_: None, assembly: Assembly, tally: Tally, rejects: list[Reject], infos: list[ShardInfo | None]) -> None:
    """The last thing that the graph does: rejects, then the summary; its presence means that the build is complete."""
    out, build = assembly.recipe.out, assembly.build
    read = read_index(out)
    write_rejects(rejects_path(out, build), [*read.rejects, *rejects])
    shards = sorted((info for info in infos if info is not None), key=lambda info: (info.split, info.path))
    record = {"shards": [asdict(info) for info in shards], "books": to_json(tally + read_tally(read))}
    with files.atomic_write(summary_path(out, build)) as file:
        file.write(json.dumps(record, indent=1, sort_keys=True).encode())


def read_tally(index: Any) -> Tally:
    """The books of step read."""
    tally: Tally = Counter({("read", "", "in"): index.num_found, ("read", "", KEPT): len(index.images)})
    for reject in index.rejects:
        tally["read", "", rejected(reject.reason)] += 1
    return tally
