"""The run's own pairs -> a word-alignment table for each language that has enough of them, in the graph.

A combiner keeps, of all pairs of a language, those with the smallest hashes: a set that does not depend on order,
bundles or workers, so neither does what is learned from it. Pairs travel by ranges: an element for each would cost more
than all else that is done with it. All that decides it is in the build's name already: the
answers, the settings, and the code that chooses and learns (`filters/alignment_check.py`); this file only wires.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

import apache_beam as beam

from florenz.filters.alignment import views_of
from florenz.filters.alignment_check import (
    MAX_PAIRS,
    MIN_PAIRS,
    AlignmentTable,
    chosen_of,
    fingerprint_of,
    hash_of_pair,
    learn_table,
)
from florenz.filters.order import LEARNED_CHECKS
from florenz.filters.settings import FilterSettings, language_and_fingerprint
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.kept_tables import keep_pairs, kept_table

Pair = tuple[str, str]
Chosen = dict[str, Pair]  # by hash


class SmallestHashes(beam.CombineFn):  # type: ignore[misc]
    """Lists of pairs -> at most `limit` of them, each once, those with the smallest hashes."""

    def __init__(self, limit: int = MAX_PAIRS) -> None:
        self.limit = limit

    def create_accumulator(self) -> Chosen:
        return {}

    def add_input(self, accumulator: Chosen, pairs: Iterable[Pair]) -> Chosen:
        accumulator |= {hash_of_pair(pair): pair for pair in pairs}
        return self._cut(accumulator) if len(accumulator) > 2 * self.limit else accumulator

    def merge_accumulators(self, accumulators: Iterable[Chosen]) -> Chosen:
        merged: Chosen = {}
        for accumulator in accumulators:
            merged |= accumulator
        return self._cut(merged)

    def extract_output(self, accumulator: Chosen) -> list[Pair]:
        return list(self._cut(accumulator).values())

    def _cut(self, accumulator: Chosen) -> Chosen:
        return {name: accumulator[name] for name in heapq.nsmallest(self.limit, accumulator)}


def pairs_of(
    images: Collection[str], answers: Iterable[CaptionRow | TranslationRow], languages: Collection[str]
) -> Mapping[str, list[Pair]]:
    """Language -> (English caption, translation), of what each language's first translator says about the
    captions that these images have now. What the filters think of them is not asked, since a table stands a few bad
    ones. answers: captions come before their translations.
    """
    captions: dict[tuple[str, str], str | None] = {}
    found: dict[str, list[Pair]] = defaultdict(list)
    for row in answers:
        if isinstance(row, CaptionRow):
            captions[row.key, row.style] = row.text
        elif (
            row.text
            and row.source_text
            and row.number == 0
            and row.language in languages
            and row.key in images
            and captions.get((row.key, row.style)) == row.source_text
        ):
            found[row.language].append((row.source_text, row.text))
    return found


def is_learning(filters: FilterSettings) -> bool:
    """Whether any text is judged by a table: one of this run, or one that was kept."""
    has_tables = filters.alignment == "learn" or bool(filters.alignment_tables)
    return has_tables and not set(LEARNED_CHECKS) <= set(filters.disabled)


def may_learn(filters: FilterSettings, num_texts: int) -> bool:
    """Whether it is worth looking. num_texts: of the run, in each language at most."""
    return is_learning(filters) and (num_texts >= MIN_PAIRS or bool(filters.alignment_tables))


def learned(
    language: str, pairs: list[Pair], filters: FilterSettings, out: str, ahead: LearnedAhead | None = None
) -> Iterator[tuple[str, AlignmentTable]]:
    """By the kept table, where the recipe names one; else nothing where there are too few pairs. ahead: what is there
    already. Raises BrokenTable.
    """
    for name in filters.alignment_tables:
        if language_and_fingerprint(name)[0] == language:
            yield language, kept_table(out, name)
            return
    if filters.alignment != "learn":
        return
    chosen = chosen_of(pairs, language)
    table = ahead.table(language, fingerprint_of(chosen, views_of(language))) if ahead is not None else None
    if table is None:
        table = learn_table(chosen, language)
    if table is not None:
        keep_pairs(out, table, chosen)
        yield language, table


def _learned(
    chosen: tuple[str, list[Pair]], filters: FilterSettings, out: str, ahead: LearnedAhead | None
) -> Iterator[tuple[str, AlignmentTable]]:
    language, pairs = chosen
    return learned(language, pairs, filters, out, ahead)


def learn_tables(
    pairs: beam.PCollection, filters: FilterSettings, out: str, ahead: LearnedAhead | None = None
) -> beam.PCollection:
    """(language, AlignmentTable), for a side input. pairs: language and lists of its pairs. ahead: of this process."""
    return (
        pairs
        | "pairs to learn" >> beam.CombinePerKey(SmallestHashes())
        | "learn" >> beam.FlatMap(partial(_learned, filters=filters, out=out, ahead=ahead))
    )
