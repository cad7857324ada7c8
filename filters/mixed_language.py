"""Was only a part translated? "Ein rotes Auto next to a tree" still counts as German on the whole (in 60-87% of cases).

Four signs, any of which is enough: a share of letters in a foreign script; ordinary words of the source standing
untranslated side by side; two of them that the language does not share with English (`shared_words.py`), which two of
32,860 human translations have; a part of the text that language ID takes for English and that holds a word only English
has. The last needs both, because parts are short: language ID alone drops 1.7% of human Dutch, both together under
1%.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.shared_words import SHARED_WORDS
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import (
    ENGLISH_ONLY,
    ENGLISH_OPENERS,
    folded_words,
    quotes_something,
    source_words,
    split_words,
)
from florenz.languages.codes import SOURCE, scripts_of_language
from florenz.languages.identification import Identified
from florenz.languages.scripts import script_of, script_weights

_MIN_PART_WORDS, _WORDS_FOR_ONE_MORE_PART, _MAX_PARTS = 3, 6, 4
_PART_MIN_PROBABILITY, _PART_MAX_CLAIMED = 0.6, 0.1
_COPIED_SHARE = 0.4
_PAIR, _MIN_PAIR_LETTERS = 2, 5
_MAX_ACRONYM_CHARS = 5
_POSSESSIVE = re.compile(r"\b\w{1,40}['’]s(?=\s\w)(?!\s(?:in|on|at|near|and|with|by|or|for|to|from|next|behind)\b)")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_MAX_RUN_WORDS = 1000
"""Of text and of source: runs are looked for in so many first words, as looking costs the product of both."""


def may_be_mixed_language(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a letter of a foreign script, an ordinary word of the source, or a word that only English has."""
    has_english = columns.of(not ENGLISH_ONLY.isdisjoint(words) for words in columns.words)
    found: np.ndarray = columns.has_foreign_script | columns.shares_words | has_english
    return found


def split_parts(candidate: Candidate) -> list[str]:
    """The parts for language ID: halves, up to quarters of long texts; parts under three words are left out."""
    words = candidate.text.split()
    if candidate.language == SOURCE or len(words) < 2 * _MIN_PART_WORDS - 1:
        return []
    number = min(_MAX_PARTS, max(2, len(words) // _WORDS_FOR_ONE_MORE_PART))
    cuts = [len(words) * index // number for index in range(number + 1)]
    parts = [words[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]
    return [" ".join(part) for part in parts if len(part) >= _MIN_PART_WORDS]


def parts_to_ask(candidate: Candidate) -> list[str]:
    """Those of `split_parts` that hold a word only English has. No other can be rejected, whatever language ID reads in
    it, and nearly all texts have none.
    """
    if ENGLISH_ONLY.isdisjoint(candidate.words):
        return []
    return [part for part in split_parts(candidate) if not ENGLISH_ONLY.isdisjoint(folded_words(part))]


def check_mixed_language(
    candidate: Candidate, parts: Sequence[str], identified: Sequence[Identified], settings: FilterSettings
) -> Verdict:
    """Rejects a half-translated text. `parts` are those of `parts_to_ask`, `identified` the answers for them."""
    share = foreign_script_share(candidate)
    if share > settings.max_foreign_share:
        what = f"{share:.0%} of the letters are in a script foreign to {candidate.language}"
        return reject("mixed_language", f"{what}: {quoted(' '.join(_foreign_runs(candidate)))}")
    run, ordinary = copied_run(candidate)
    if run > settings.max_copied_words or (run == settings.max_copied_words and run >= _COPIED_SHARE * ordinary):
        return reject(
            "mixed_language",
            f"{run} words in a row stand in the source, of {ordinary}: {quoted(_copied_words(candidate))}",
        )
    pair = _english_pair(candidate) if settings.max_copied_words <= _PAIR else ""
    if pair:
        return reject("mixed_language", f"two words of the source in a row that are English alone: {pair!r}")
    for part, seen in zip(parts, identified, strict=True):
        if _is_english_part(seen, candidate.language):
            return reject("mixed_language", f"English at {seen.probability:.2f} in {quoted(part)}")
    return KEEP


def foreign_script_share(candidate: Candidate) -> float:
    """Share of letters, 0 to 1, in scripts that the language is not written in; names and acronyms left out."""
    own_scripts = scripts_of_language(candidate.language)
    if script_weights(candidate.text).keys() <= own_scripts:
        return 0.0
    runs = [(script, "".join(run)) for script, run in groupby(candidate.text, key=script_of) if script]
    own = sum(_weight(letters) for script, letters in runs if script in own_scripts)
    foreign = sum(map(_weight, _foreign_runs(candidate)))
    return foreign / (own + foreign) if foreign else 0.0


def _foreign_runs(candidate: Candidate) -> list[str]:
    own_scripts, names = scripts_of_language(candidate.language), _letters_of_names(candidate.source)
    runs = [(script, "".join(run)) for script, run in groupby(candidate.text, key=script_of)]
    return [
        letters
        for script, letters in runs
        if script and script not in own_scripts and letters.casefold() not in names and not _is_acronym(letters)
    ]


@lru_cache(maxsize=4096)
def _letters_of_names(source: str) -> frozenset[str]:
    """Names of the source, and their capitalised parts, as letters stand in a row: "McDonald" of "McDonald's". No names
    are "What're", capitalised at the beginning alone, and "Tom's" before what is his, which has to be translated.
    """
    names = source_words(source).names
    words = (word for word in split_words(_POSSESSIVE.sub(" ", source)) if word.casefold() in names)
    parts = (_NO_LETTERS.split(word) for word in words)
    whole = (of_name for of_name in parts if of_name[0].casefold() not in ENGLISH_OPENERS | ENGLISH_ONLY)
    return names.union(part.casefold() for of_name in whole for part in of_name if part[:1].isupper())


def _weight(letters: str) -> int:
    return sum(script_weights(letters).values())


def copied_run(candidate: Candidate) -> tuple[int, int]:
    """(ordinary words in the longest run that stands in the source in the same order, ordinary words of the text).

    Names and numbers may stand inside a run but are not counted. A run of nothing but words that both languages have
    ("was in" in Afrikaans) is none.
    """
    names, known = candidate.source_words.names, candidate.source_words.known
    both = SHARED_WORDS.get(candidate.language, frozenset())
    ordinary = sum(word not in names for word in candidate.words)
    if known.isdisjoint(candidate.words):
        return 0, ordinary
    places: dict[str, list[int]] = {}
    for place, word in enumerate(candidate.source_words.words[:_MAX_RUN_WORDS]):
        places.setdefault(word, []).append(place)
    longest = 0
    # Source place -> (ordinary, only English) words in the run that ends there.
    ends_before: dict[int, tuple[int, int]] = {}
    for word in candidate.words[:_MAX_RUN_WORDS]:
        counted = word not in names
        english = counted and word not in both
        ends_here = {}
        for place in places.get(word, ()):
            num_counted, num_english = ends_before.get(place - 1, (0, 0))
            ends_here[place] = num_counted + counted, num_english + english
        ends_before = ends_here
        longest = max(longest, *(num for num, num_english in ends_before.values() if num_english), 0)
    return longest, ordinary


def _english_pair(candidate: Candidate) -> str:
    """Two ordinary words that stand side by side in source and text, neither of which the language has; "" if there are
    none, the source quotes something, or nobody knows the words that the language shares with English.
    """
    shared, source = SHARED_WORDS.get(candidate.language), candidate.source_words
    if shared is None or not source.has_ordinary(candidate.words) or quotes_something(candidate.source):
        return ""
    english = source.known - source.names - shared
    known = set(pairwise(source.words[:_MAX_RUN_WORDS]))
    pairs = (pair for pair in pairwise(candidate.words[:_MAX_RUN_WORDS]) if pair in known and english.issuperset(pair))
    return next((" ".join(pair) for pair in pairs if sum(map(len, pair)) >= _MIN_PAIR_LETTERS), "")


def _copied_words(candidate: Candidate) -> str:
    return " ".join(word for word in candidate.words if word in candidate.source_words.known)


def _is_english_part(seen: Identified, language: str) -> bool:
    return (
        seen.language == SOURCE
        and seen.probability >= _PART_MIN_PROBABILITY
        and seen.probability_of(language) < _PART_MAX_CLAIMED
    )


def _is_acronym(letters: str) -> bool:
    return len(letters) <= _MAX_ACRONYM_CHARS and letters.isupper()
