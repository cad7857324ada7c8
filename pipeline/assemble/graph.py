"""Steps 4 to 6 as one graph: ledger -> filter -> cover -> write. No model is asked.

A pure function of image bytes, ledger and recipe: the same input gives the same bytes, whatever the order, the number
of workers or how often it was killed. What travels are ranges of keys, numbers, and a reference for each image; texts
wait in a working folder (`texts.py`) until their shard is written. Shards get their final names only when complete, in
a folder that no manifest names yet; the graph ends with a summary of the build, and `build.publish` makes the manifest.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsSingleton

from florenz.filters.alignment import Pair
from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ranges import RangeWork, work_of
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.alignment import learn_tables, may_learn, pairs_of
from florenz.pipeline.assemble.books import Tally, to_json
from florenz.pipeline.assemble.concepts import keep_table
from florenz.pipeline.assemble.kept_tables import remove_others
from florenz.pipeline.assemble.rejects import REJECTS, join_rejects
from florenz.pipeline.assemble.texts import FOLDER, Place, working_folder
from florenz.pipeline.assemble.word_lists import keep_lists, kept_lists
from florenz.pipeline.assemble.work import (
    Assembly,
    CoveredRange,
    Shard,
    WrittenShard,
    cover_range,
    placed,
    rules_of,
    written,
)
from florenz.pipeline.image_index import Index
from florenz.pipeline.packing import PackByKey, unpack
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.runners.contract import Running, facts_of, graph, packs_waiting, spread, workers_progress
from florenz.pipeline.workers.given import given
from florenz.shards.plan import SPLITS, Counted, Plan, Rules
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.seals import sealed

IMAGES_FOR_A_PROCESS = 10_000  # 5 s of computing, what a process takes to begin


def summary_path(out: str, build: str) -> str:
    return files.join(out, "builds", f"{build}.json")


def rejects_path(out: str, build: str) -> str:
    return files.join(out, "rejects", f"{build}.parquet")


def run_assembly(
    assembly: Assembly,
    index: Index,
    answers: CurrentAnswers,
    progress: ProgressAddress,
    running: Running,
    ahead: LearnedAhead | None = None,
) -> None:
    """`running`: where; its OUT is the assembly's. ahead: taken where the workers are threads of this process."""
    running = spread(running, index.num_images // IMAGES_FOR_A_PROCESS)
    ahead = ahead if facts_of(running).shares_memory else None
    telling, work = workers_progress(running, progress), work_of(index, answers)
    is_on = may_learn(assembly.filters, index.num_images * len(assembly.styles))
    remove_working_folders(assembly.out)
    keep_table(assembly.out, assembly.concepts_table, assembly.concepts)
    keep_lists(assembly.out, assembly.filters.toxicity, assembly.word_lists)
    with packs_waiting(running) as waiting, graph(running, "assemble", progress) as pipeline:
        ranges = pipeline | "ranges" >> given(work, running)
        learned_from = ranges if is_on else ranges | "no alignment" >> beam.Filter(lambda _: False)
        pairs = learned_from | "pairs" >> beam.FlatMap(partial(_pairs, answers=answers, assembly=assembly))
        tables = learn_tables(pairs, assembly.filters, assembly.out, ahead)
        covered = ranges | "filter and cover" >> beam.Map(
            _covered,
            answers=answers,
            chain=FilterChain(
                assembly.filters, word_lists=partial(kept_lists, assembly.out, dict(assembly.word_lists))
            ),
            tables=AsDict(tables),
            assembly=assembly,
            num_images=index.num_images,
            progress=telling,
        )
        shards = _shards(covered, rules_of(assembly, index.num_images), assembly, waiting)
        infos = shards | "infos" >> beam.Map(lambda shard: shard.info) | "all infos" >> beam.combiners.ToList()
        # Apart, and not flattened into one: Flink's fuser loses a collection that a Flatten and another step both read.
        _ = (
            pipeline
            | "start" >> given([None], running)
            | "summary"
            >> beam.Map(
                _summarise,
                assembly=assembly,
                image_tally=_counted("images", covered),
                shard_tally=_counted("shards", shards),
                infos=AsSingleton(infos),
                tables=AsDict(
                    tables | "fingerprints" >> beam.MapTuple(lambda language, one: (language, one.fingerprint))
                ),
            )
        )
    remove_working_folders(assembly.out)


def _shards(
    covered: beam.PCollection[CoveredRange], rules: Rules, assembly: Assembly, waiting: str
) -> beam.PCollection[WrittenShard]:
    """Planned from counts, then written, each from references to its images' texts. waiting: where packs wait."""
    plan = AsSingleton(
        covered
        | "counts" >> beam.Map(lambda one: one.counted)
        | "add up counts" >> beam.CombineGlobally(Counted.added)
        | "plan shards" >> beam.Map(Plan, rules)
    )
    return (
        covered
        | "names of ranges" >> beam.Map(lambda one: one.range)  # all that waits for the plan: its counts are large
        | "place" >> beam.FlatMap(placed, plan=plan, assembly=assembly)
        | "pack by shard" >> beam.ParDo(PackByKey(waiting))
        | "by shard" >> beam.GroupByKey()
        | "write" >> beam.Map(_written, plan=plan, assembly=assembly, waiting=waiting)
    )


def remove_working_folders(out: str) -> None:
    """Of the build that is complete, and of others that were cut off."""
    root = files.join(out, FOLDER)
    paths = files.list_files(root)
    for path in paths:
        files.remove(path)
    for folder in (*{os.path.dirname(path) for path in paths}, root):
        with contextlib.suppress(OSError):  # not there, or not a local folder
            os.rmdir(folder)


def _counted(name: str, outcomes: beam.PCollection[CoveredRange | WrittenShard]) -> AsSingleton:
    """The books of all outcomes, as a side input."""
    return AsSingleton(
        outcomes
        | f"tallies of {name}" >> beam.Map(lambda outcome: outcome.tally)
        | f"add up {name}" >> beam.CombineGlobally(_add_tallies)
    )


def _pairs(work: RangeWork, answers: CurrentAnswers, assembly: Assembly) -> Iterable[tuple[str, list[Pair]]]:
    here = answers.of(work.range, work.listed)
    return pairs_of(work.images(assembly.out), here.all(), assembly.languages).items()


def _covered(
    work: RangeWork,
    answers: CurrentAnswers,
    chain: FilterChain,
    tables: Mapping[str, AlignmentTable],
    assembly: Assembly,
    num_images: int,
    progress: ProgressAddress,
) -> CoveredRange:
    def done(images: int) -> None:
        advance(progress, "assemble", images)
        count("assemble", images)

    here = answers.of(work.range, work.listed)
    return cover_range(work.range, here.all(), chain, tables, assembly, num_images, done)


def _written(
    shard_and_places: tuple[Shard, Iterable[bytes]], plan: Plan, assembly: Assembly, waiting: str
) -> WrittenShard:
    shard, packs = shard_and_places
    return written(shard, (Place(*place) for place in unpack(packs, waiting)), plan, assembly)


def _add_tallies(tallies: Iterable[Tally]) -> Tally:
    total: Tally = Counter()
    for tally in tallies:
        total.update(tally)
    return total


def _summarise(
    _: None,
    assembly: Assembly,
    image_tally: Tally,
    shard_tally: Tally,
    infos: list[ShardInfo | None],
    tables: Mapping[str, str],
) -> None:
    """The last thing that the graph does: rejects, then the summary; its presence means that the build is complete."""
    out, build = assembly.out, assembly.build
    shards = sorted(
        (info for info in infos if info is not None), key=lambda info: (SPLITS.index(info.split), info.path)
    )
    folder = working_folder(out, build)
    names = sorted(path.rpartition("/")[2] for path in files.list_files(folder) if path.endswith(REJECTS))
    rejects_sha256 = join_rejects(rejects_path(out, build), folder, names)
    used = {f"{language}-{fingerprint}" for language, fingerprint in tables.items()}
    remove_others(out, used | set(assembly.filters.alignment_tables))
    write_summary(out, build, shards, image_tally + shard_tally, rejects_sha256, tables)


def write_summary(
    out: str, build: str, shards: Sequence[ShardInfo], books: Tally, rejects_sha256: str, tables: Mapping[str, str]
) -> None:
    """tables: language -> fingerprint of the alignment that was learned for it."""
    record = {
        "shards": [asdict(info) for info in shards],
        "books": to_json(books),
        "rejects_sha256": rejects_sha256,
        "alignment": dict(tables),
    }
    with files.atomic_write(summary_path(out, build)) as file:
        file.write(json.dumps(sealed(record), indent=1, sort_keys=True).encode())
