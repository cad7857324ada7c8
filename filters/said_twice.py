"""Does the text say the same thing twice, from beginning to end? "Ein rotes Auto. Ein rotes Auto."

Halves or thirds alike, by letters and digits only, so that punctuation, case and line ends between them don't matter;
from four times on it is a `repetition`. A source that does so itself ("No, no!") may be translated so. And a sentence
that follows itself, in a text that says more. Cost: one comparison of two strings; texts with a word that stands again
are cut into sentences.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from florenz.filters.columns import Columns, is_letter_of_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.filters.words import ends_of, folded_words
from florenz.languages.characters import CharacterTable

_MIN_PART_CHARS = 4
_TIMES = (2, 3)
_MIN_SENTENCE_CHARS = 8
_ENDS = re.compile("[.!?…。！？।۔؟။។\\n]+")


_WORD_LETTERS = CharacterTable(lambda one: ord(one) if is_letter_of_words(one) else 0, np.int32)


def may_be_said_twice(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a word that stands again, or in which each letter stands an even number of times: their codes, one
    over the other, come to nothing. Or whose letters and the sum of their codes can both be divided by three.
    """
    codes = columns.folded_codes
    letters = _WORD_LETTERS.of(codes)
    sums, numbers = (
        np.add.reduceat(one, codes.starts) for one in (letters.astype(np.int64), (letters > 0).astype(np.int64))
    )
    again = columns.words_again > 0
    found: np.ndarray = (
        again | (np.bitwise_xor.reduceat(letters, codes.starts) == 0) | ((sums % 3 == 0) & (numbers % 3 == 0))
    )
    return found


def check_said_twice(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that is its first half or third again, or in which a sentence follows itself; quotes it."""
    letters, of_source = "".join(candidate.words), "".join(candidate.source_words.words)
    for times in _TIMES:
        if len(letters) >= times * _MIN_PART_CHARS and _has_equal_parts(letters, times):
            if any(_has_equal_parts(of_source, one) for one in _TIMES):
                return KEEP
            part = candidate.text[: len(candidate.text) // times].strip()
            return reject("said_twice", f"{part[:60]!r} and the same again{' and again' if times > 2 else ''}")
    if len(set(candidate.words)) < len(candidate.words) and (sentence := _sentence_again(candidate.text)):
        return KEEP if _sentence_again(candidate.source) else reject("said_twice", f"{sentence[:60]!r} stands twice")
    return KEEP


def _sentence_again(text: str) -> str:
    """One that follows itself, without its end; "" if none does."""
    sentences = [one.strip() for one in _ENDS.split(ends_of(text)) if one.strip()]
    letters = ["".join(folded_words(sentence)) for sentence in sentences]
    places = (place for place, pair in enumerate(pairwise(letters)) if pair[0] == pair[1])
    return next((sentences[place] for place in places if len(letters[place]) >= _MIN_SENTENCE_CHARS), "")


def _has_equal_parts(letters: str, times: int) -> bool:
    part = letters[: len(letters) // times]
    return bool(part) and letters == part * times
