"""Writes `languages/calibration.py`, what language ID does with good text, and `filters/shared_words.py`, the English
words that stand in it.

    python -m benchmarks.filters_calibrate [--check]

Language ID as a whole may lose about one good text in 200, so that with all other checks and on other texts it stays
below one in 100. Odds to neighbours get most of that: all but one text in 250 has them. Of 500 texts those are two, and
where two lie says more about them than about a language; so the least odds are the mean of two answers, what all but
one text in 250 has and what the exponential tail through the lowest 6% gives. The margin to others is lost by one text
in 500, within bounds: between -3 and -1.5 it tells nearly all other languages, whatever good text does.

--check writes nothing: it calibrates on four fifths of each language, judges the last fifth by it, and prints what is
lost. All on the half of the pairs that `make bench-filters` does not score.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.filters_texts import Pair, languages, pairs
from florenz.filters import words
from florenz.languages import second_opinion

QUANTILE_NEAR, SHARE_OF_TAIL, QUANTILE_OTHERS = 1 / 250, 0.06, 1 / 500
BOUNDS_OF_OTHERS, BOUNDS_OF_FIRST = (-3.0, -1.5), (-6.0, 0.0)
MIN_TAIL = 8
FOLDS = 5
GOAL = 0.99
MIN_TIMES, MIN_SOURCES = 2, 10
TABLE = Path(second_opinion.__file__).with_name("calibration.py")
WORDS = Path(words.__file__).with_name("shared_words.py")
HEAD = '''"""How language ID does on good text: made by `python -m benchmarks.filters_calibrate`, not by hand.

From human sentence pairs (Tatoeba) of four words and more on average, one half of them; the other half is what
`make bench-filters` scores. Margins are those of `second_opinion.py`, to neighbours as log odds.
"""

from __future__ import annotations

from typing import NamedTuple


class Calibrated(NamedTuple):
    """texts: how many. kept: share, 0 to 1, that both models together keep. Margins: what good text has at least. Of a
    language that py3langid does not know, to_others is the log odds of lid.176 to what it finds likeliest.
    """

    texts: int
    kept: float
    to_neighbours: float
    to_others: float


MARGINS: dict[str, Calibrated] = {
'''
WORDS_HEAD = '''"""English words that are words of other languages too, by `python -m benchmarks.filters_calibrate`.

Those that two human translations and more of one half of the pairs share with their sources; the other half is what
`make bench-filters` scores.
"""

from __future__ import annotations

SHARED_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
'''


@dataclass(frozen=True)
class Read:
    """What both models say about good texts of a language; [texts] each. to_neighbours: infinite where nobody asks."""

    is_doubted: np.ndarray
    to_neighbours: np.ndarray
    to_others: np.ndarray

    def of(self, places: np.ndarray) -> Read:
        return Read(self.is_doubted[places], self.to_neighbours[places], self.to_others[places])


def read(language: str, rows: Sequence[Pair]) -> Read:
    from florenz.filters.language_match import has_likely_neighbour, is_taken_for_another, odds_to_first
    from florenz.filters.settings import FilterSettings
    from florenz.languages.identification import LanguageIdentifier

    settings, texts = FilterSettings(), [text for _, text in rows]
    found = LanguageIdentifier().identify(texts)
    is_doubted = np.array([is_taken_for_another(seen, language, settings) for seen in found])
    if not second_opinion.knows(language):
        return Read(
            is_doubted, np.full(len(texts), math.inf), np.array([odds_to_first(seen, language) for seen in found])
        )
    margins = second_opinion.margins_of(texts, [language] * len(texts), [words.folded_words(text) for text in texts])
    is_asked = is_doubted | [has_likely_neighbour(seen, language) for seen in found]
    odds = np.array([one.odds_to_neighbours for one in margins])
    return Read(is_doubted, np.where(is_asked, odds, math.inf), np.array([one.to_others for one in margins]))


def least(seen: Read, language: str) -> tuple[float, float]:
    """(odds to neighbours, margin to others), rounded down to what the table says."""
    low, high = BOUNDS_OF_OTHERS if second_opinion.knows(language) else BOUNDS_OF_FIRST
    doubted = np.sort(np.where(seen.is_doubted, seen.to_others, math.inf))
    others = min(max(low, float(doubted[math.floor(QUANTILE_OTHERS * len(doubted))])), high)
    return _floor(_least_odds(np.sort(seen.to_neighbours))), _floor(others)


def _least_odds(ordered: np.ndarray) -> float:
    """Of odds in rising order. At most 0: where the claimed language is likeliest nobody speaks against it."""
    finite = ordered[np.isfinite(ordered)]
    if len(finite) < MIN_TAIL + 1:
        return min(0.0, float(finite[0])) if len(finite) else 0.0
    number = min(max(MIN_TAIL, int(SHARE_OF_TAIL * len(ordered))), len(finite) - 1)
    begin, excess = float(finite[number]), float(np.mean(finite[number] - finite[:number]))
    of_tail = begin - excess * math.log(max(1.0, number / len(ordered) / QUANTILE_NEAR))
    return min(0.0, (of_tail + float(ordered[math.floor(QUANTILE_NEAR * len(ordered))])) / 2)


def _floor(value: float) -> float:
    return math.floor(100 * value) / 100


def is_lost(seen: Read, odds: float, margin: float) -> np.ndarray:
    """[texts]: as `check_wrong_language`, but for letters that a language does not have."""
    lost: np.ndarray = (seen.to_neighbours < odds) | (seen.is_doubted & (seen.to_others < margin))
    return lost


def shared_words(rows: Sequence[Pair], english: frozenset[str]) -> list[str]:
    """English words that translations of sources with these words have again and again: no false friends, which stand
    there by chance ("war" in German).
    """
    counts: Counter[str] = Counter()
    for source, text in rows:
        counts.update((words.source_words(source).known & english).intersection(words.folded_words(text)))
    return sorted(word for word, times in counts.items() if times >= MIN_TIMES)


def english_words() -> frozenset[str]:
    """Those that many sources have and that are no names, and those that build sentences."""
    sources = {english for language in languages() for english, _ in pairs(language, calibration=True)}
    found = [words.source_words(english) for english in sources]
    counts = Counter(word for one in found for word in one.known - one.names)
    often = {word for word, times in counts.items() if times >= MIN_SOURCES}
    return frozenset(often) | words.ENGLISH_OPENERS | words.ENGLISH_ONLY


def check() -> None:
    """Prints what is lost of texts that did not calibrate, and of how many languages less than one in 100."""
    lost_of_all = texts_of_all = num_well = 0
    for language in languages():
        seen = read(language, pairs(language, calibration=True))
        folds = np.arange(len(seen.is_doubted)) % FOLDS
        lost = 0
        for fold in range(FOLDS):
            limits = least(seen.of(folds != fold), language)
            lost += int(is_lost(seen.of(folds == fold), *limits).sum())
        num_well += lost <= (1 - GOAL) * len(folds)
        lost_of_all, texts_of_all = lost_of_all + lost, texts_of_all + len(folds)
        print(f"{language}: {lost} of {len(folds)} lost, {100 * lost / len(folds):.2f}%", flush=True)
    print(f"lost {lost_of_all} of {texts_of_all}; {num_well} of {len(languages())} languages keep {GOAL:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; judge texts that did not calibrate")
    if parser.parse_args().check:
        check()
        return
    lines, shared, english = [], [], english_words()
    for language in languages():
        rows = pairs(language, calibration=True)
        seen = read(language, rows)
        odds, margin = least(seen, language)
        kept = 1 - is_lost(seen, odds, margin).mean()
        lines.append(f'    "{language}": Calibrated({len(rows)}, {kept:.3f}, {odds:.2f}, {margin:.2f}),')
        shared.append(f'        "{language}": "{" ".join(shared_words(rows, english))}",')
        print(lines[-1], flush=True)
    TABLE.write_text(HEAD + "\n".join(lines) + "\n}\n")
    WORDS.write_text(WORDS_HEAD + "\n".join(map(_wrapped, shared)) + "\n    }.items()\n}\n")


def _wrapped(line: str) -> str:
    """Of at most 120 characters, as strings that Python joins."""
    if len(line) <= 120:
        return line
    name, _, text = line.strip().rstrip(",").partition(": ")
    rows: list[str] = [""]
    for word in text.strip('"').split():
        if len(rows[-1]) + len(word) > 100:
            rows.append("")
        rows[-1] += f"{word} "
    parts = "\n".join(f'            "{row if row is not rows[-1] else row.rstrip()}"' for row in rows)
    return f"        {name}: (\n{parts}\n        ),"


if __name__ == "__main__":
    main()
