"""What the alignment table catches: runs of 10,000 pairs and more, judged by what was learned from themselves.

Each run is learned and judged as the pipeline does it (folds by the English side), clean and with one pair in twenty
bad. Caught is counted on pairs that are shuffled, on remarks, and on the bad pairs of the run itself. A part of `make
bench-filters`, which `.venv/bin/python -m benchmarks.filters_learned` prints alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.filters_faults import SPACED, make_cut, make_english_word
from benchmarks.filters_texts import Pair, large_pairs
from benchmarks.filters_words import REMARKS
from florenz.filters.alignment_check import AlignmentTable, learn_table
from florenz.filters.cut_word import check_cut_word
from florenz.filters.untranslated_word import check_untranslated_word
from florenz.filters.verdict import Candidate

SHARE_OF_BAD = 0.05
Figure = tuple[str, str, int, int, float | None]  # name, language, caught or kept, texts, goal


def figures() -> Iterator[Figure]:
    """(name, language, number, of, goal) of each run; none where the many pairs are absent."""
    for language in ("de", "zh"):
        pairs = list(large_pairs(language))
        random.Random(0).shuffle(pairs)
        for size in sorted({min(10_000, len(pairs)), len(pairs)}):
            yield from _of_run(pairs[:size], language)


def _of_run(pairs: Sequence[Pair], language: str) -> Iterator[Figure]:
    table = learn_table(pairs, language)
    if table is None:
        return
    run, rng, number = f"{language} {len(pairs):,} pairs", random.Random(1), len(pairs)
    others = [(pairs[place][0], pairs[(place + 17) % number][1]) for place in range(number)]
    remarks = [(source, rng.choice(REMARKS[language])) for source, _ in pairs[:2000]]
    yield f"good pairs kept, {run}", language, number - _caught(table, pairs), number, 99.0
    yield f"another image's caption, {run}", language, _caught(table, others), number, 98 if number > 20_000 else 95
    yield f"refusal or remark, {run}", language, _caught(table, remarks), len(remarks), 90
    yield from _cut_words(pairs, table, language, run)
    yield from _english_words(pairs, table, language, run)
    bad = set(rng.sample(range(number), round(SHARE_OF_BAD * number)))
    mixed = [(source, rng.choice(pairs)[1]) if place in bad else (source, text)
             for place, (source, text) in enumerate(pairs)]  # fmt: skip
    table = learn_table(mixed, language)
    if table is not None:
        yield f"bad pairs, 5% of {run}", language, _caught(table, [mixed[p] for p in sorted(bad)]), len(bad), 90


def _cut_words(pairs: Sequence[Pair], table: AlignmentTable, language: str, run: str) -> Iterator[Figure]:
    if language not in SPACED:
        return
    rng = random.Random(2)
    texts = [(source, cut) for source, text in pairs if (cut := make_cut((source, text), language, rng, pairs))]
    for name, rows, goal in (
        (f"cut in a word, then a full stop, {run}", texts, 45.0),
        (f"good texts that end in no cut word, {run}", pairs, 99.0),
    ):
        candidates = [Candidate(source=source, text=text, language=language) for source, text in rows]
        caught = sum(not verdict.keep for verdict in check_cut_word(candidates, {language: table}))
        yield name, language, len(rows) - caught if rows is pairs else caught, len(rows), goal


def _english_words(pairs: Sequence[Pair], table: AlignmentTable, language: str, run: str) -> Iterator[Figure]:
    """One word of the text replaced by one of the source."""
    if language not in SPACED:
        return
    rng = random.Random(3)
    texts = [
        (pair[0], left)
        for pair in pairs
        if (left := make_english_word(pair, language, rng, pairs)) and left.casefold() != pair[1].casefold()
    ]
    for name, rows, goal in (
        (f"a word left in English, {run}", texts, None),
        (f"good texts without such a word, {run}", pairs, 99.9),
    ):
        candidates = [Candidate(source=source, text=text, language=language) for source, text in rows]
        caught = sum(not verdict.keep for verdict in check_untranslated_word(candidates, {language: table}))
        yield name, language, len(rows) - caught if rows is pairs else caught, len(rows), goal


def _caught(table: AlignmentTable, pairs: Sequence[Pair]) -> int:
    return int(np.sum(table.scores(pairs) < table.least))


if __name__ == "__main__":
    for name, language, number, of, goal in figures():
        told = f" goal {goal:g}{'' if 100 * number / of >= goal else ': missed'}" if goal is not None else ""
        print(f"{name:<52} {language:<3} {100 * number / of:6.2f}% {number:>6} of {of:<6}{told}", flush=True)
