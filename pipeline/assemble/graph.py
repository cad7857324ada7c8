"""Steps 4 to 6 as one graph: ledger -> filter -> cover -> write. No model is asked.

A pure function of image bytes, ledger and recipe: the same input gives the same bytes, whatever the order, the number
of workers or how often it was killed. Shards get their final names only when complete, in a folder that no manifest
names yet; the graph ends with a summary of the build, and `build.publish` makes the manifest of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsSingleton

from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.images.references import relative_uri
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.alignment import is_learning, learn_tables
from florenz.pipeline.assemble.books import KEPT, Tally, rejected, to_json
from florenz.pipeline.assemble.filtering import CoveredImage, ImageTexts
from florenz.pipeline.assemble.rejects import Reject, write_rejects
from florenz.pipeline.assemble.work import (
    Assembly,
    Shard,
    WrittenShard,
    covered,
    placed,
    rules_of,
    texts_of_image,
    written,
)
from florenz.pipeline.image_index import Index, read_range
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.runners.contract import Running, graph, workers_progress
from florenz.pipeline.workers.given import given
from florenz.shards.plan import SPLITS, Counted, Drawn, Plan, Rules
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.seals import sealed

# Images whose texts are filtered in one call: language ID answers many texts faster than one.
_MIN_TOGETHER, _MAX_TOGETHER = 16, 64
_COUNTED_TOGETHER = 10_000


def summary_path(out: str, build: str) -> str:
    return files.join(out, "builds", f"{build}.json")


def rejects_path(out: str, build: str) -> str:
    return files.join(out, "rejects", f"{build}.parquet")


def run_assembly(
    assembly: Assembly, index: Index, answers: CurrentAnswers, progress: ProgressAddress, running: Running
) -> None:
    """`running`: where; its OUT is the assembly's."""
    telling = workers_progress(running, progress)
    with graph(running, "assemble", progress) as pipeline:
        start = pipeline | "start" >> given([None], running)
        ranges = (
            pipeline
            | "ranges" >> given([part.range for part in index.parts], running)
            | "images of a range" >> beam.Map(lambda one: read_range(assembly.out, one))
        )
        images = ranges | "images" >> beam.FlatMap(lambda found: found.images.items())
        about = ranges | "about images" >> beam.FlatMap(lambda found: found.about.items())
        captions = start | "captions" >> beam.FlatMap(lambda _: _captions(answers))
        languages = start | "languages" >> beam.FlatMap(lambda _: assembly.languages) | beam.Reshuffle()
        translations = languages | "translations" >> beam.FlatMap(lambda language: _translations(answers, language))

        texts = (
            {"source": images, "about": about, "captions": captions, "translations": translations}
            | "by image" >> beam.CoGroupByKey()
            | "gather" >> beam.FlatMapTuple(partial(texts_of_image, assembly=assembly))
        )
        tables = learn_tables(texts, is_on=is_learning(assembly.filters))
        images_with_examples = (
            texts
            | "some together" >> beam.BatchElements(min_batch_size=_MIN_TOGETHER, max_batch_size=_MAX_TOGETHER)
            | "filter and cover"
            >> beam.FlatMap(
                _covered,
                chain=FilterChain(assembly.filters),
                tables=AsDict(tables),
                assembly=assembly,
                progress=telling,
            )
        )
        rules = rules_of(assembly)
        plan = AsSingleton(
            images_with_examples
            | "with examples" >> beam.Filter(lambda image: bool(image.examples))
            | "draw" >> beam.Map(lambda image: rules.drawn(image.key))
            | "count" >> beam.CombineGlobally(CountImages(rules))
            | "plan shards" >> beam.Map(Plan, rules)
        )
        shards = (
            images_with_examples
            | "place" >> beam.FlatMap(placed, plan=plan, assembly=assembly)
            | "by shard" >> beam.GroupByKey()
            | "write" >> beam.Map(_written, plan=plan, assembly=assembly)
        )
        # Apart, and not flattened into one: Flink's fuser loses a collection that a Flatten and another step both read.
        image_tally, image_rejects = _counted("images", images_with_examples)
        shard_tally, shard_rejects = _counted("shards", shards)
        infos = shards | "infos" >> beam.Map(lambda shard: shard.info) | "all infos" >> beam.combiners.ToList()
        _ = start | "summary" >> beam.Map(
            _summarise,
            assembly=assembly,
            index=index,
            image_tally=image_tally,
            image_rejects=image_rejects,
            shard_tally=shard_tally,
            shard_rejects=shard_rejects,
            infos=AsSingleton(infos),
        )


class CountImages(beam.CombineFn):  # type: ignore[misc]
    """Drawn images -> Counted: numbers for each bucket, and no key but two."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def create_accumulator(self) -> tuple[Counted, list[Drawn]]:
        return Counted(), []

    def add_input(self, accumulator: tuple[Counted, list[Drawn]], image: Drawn) -> tuple[Counted, list[Drawn]]:
        counted, waiting = accumulator
        waiting.append(image)
        return accumulator if len(waiting) < _COUNTED_TOGETHER else (self._fold(counted, waiting), [])

    def merge_accumulators(self, accumulators: Iterable[tuple[Counted, list[Drawn]]]) -> tuple[Counted, list[Drawn]]:
        return Counted.added(self._fold(*accumulator) for accumulator in accumulators), []

    def extract_output(self, accumulator: tuple[Counted, list[Drawn]]) -> Counted:
        return self._fold(*accumulator)

    def _fold(self, counted: Counted, waiting: list[Drawn]) -> Counted:
        return Counted.added([counted, Counted.of(waiting, self._rules)])


def _written(shard_and_images: tuple[Shard, Iterable[CoveredImage]], plan: Plan, assembly: Assembly) -> WrittenShard:
    return written(*shard_and_images, plan, assembly)


def _counted(name: str, outcomes: beam.PCollection[CoveredImage | WrittenShard]) -> tuple[AsSingleton, AsSingleton]:
    """The books and the rejects of all outcomes, as side inputs."""
    tally = (
        outcomes
        | f"tallies of {name}" >> beam.Map(lambda outcome: outcome.tally)
        | f"add up {name}" >> beam.CombineGlobally(_add_tallies)
    )
    rejects = (
        outcomes
        | f"rejects of {name}" >> beam.FlatMap(lambda outcome: outcome.rejects)
        | f"all rejects of {name}" >> beam.combiners.ToList()
    )
    return AsSingleton(tally), AsSingleton(rejects)


def _captions(answers: CurrentAnswers) -> Iterator[tuple[str, CaptionRow]]:
    return ((row.key, row) for row in answers.captions().values())


def _translations(answers: CurrentAnswers, language: str) -> Iterator[tuple[str, TranslationRow]]:
    return ((row.key, row) for row in answers.all_translations(language))


def _covered(
    images: list[ImageTexts],
    chain: FilterChain,
    tables: Mapping[str, AlignmentTable],
    assembly: Assembly,
    progress: ProgressAddress,
) -> list[CoveredImage]:
    advance(progress, "assemble", len(images))
    count("assemble", len(images))
    return covered(images, chain, tables, assembly)


def _add_tallies(tallies: Iterable[Tally]) -> Tally:
    total: Tally = Counter()
    for tally in tallies:
        total.update(tally)
    return total


def _summarise(
    _: None,
    assembly: Assembly,
    index: Index,
    image_tally: Tally,
    image_rejects: list[Reject],
    shard_tally: Tally,
    shard_rejects: list[Reject],
    infos: list[ShardInfo | None],
) -> None:
    """The last thing that the graph does: rejects, then the summary; its presence means that the build is complete."""
    out, build = assembly.out, assembly.build
    rejects = [reject for found in index.ranges() for reject in found.rejects]
    rejects = [*rejects, *image_rejects, *shard_rejects]
    rejects_sha256 = write_rejects(
        rejects_path(out, build),
        [replace(reject, source=relative_uri(reject.source, assembly.images)) for reject in rejects],
    )
    shards = sorted(
        (info for info in infos if info is not None), key=lambda info: (SPLITS.index(info.split), info.path)
    )
    write_summary(out, build, shards, image_tally + shard_tally + read_tally(index), rejects_sha256)


def write_summary(out: str, build: str, shards: Sequence[ShardInfo], books: Tally, rejects_sha256: str) -> None:
    record = {
        "shards": [asdict(info) for info in shards],
        "books": to_json(books),
        "rejects_sha256": rejects_sha256,
    }
    with files.atomic_write(summary_path(out, build)) as file:
        file.write(json.dumps(sealed(record), indent=1, sort_keys=True).encode())


def read_tally(index: Index) -> Tally:
    """The books of step read."""
    tally: Tally = Counter({("read", "", "in"): index.num_found, ("read", "", KEPT): index.num_images})
    for reason, number in index.rejected.items():
        tally["read", "", rejected(reason)] += number
    return tally
