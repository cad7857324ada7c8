"""Does the text say the same thing twice, from beginning to end? "Ein rotes Auto. Ein rotes Auto."

Halves alike, by letters and digits only, so that punctuation, case and line ends between them don't matter. A source
that does so itself ("No, no!") may be translated so. Cost: one comparison of two strings.
"""

from __future__ import annotations

import numpy as np

from florenz.filters.columns import Columns, is_letter_of_words
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.characters import CharacterTable

_MIN_HALF_CHARS = 4


_WORD_LETTERS = CharacterTable(lambda one: ord(one) if is_letter_of_words(one) else 0, np.int32)


def may_be_said_twice(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text in which each letter stands an even number of times: their codes, one over the other, come to nothing."""
    codes = columns.folded_codes
    found: np.ndarray = np.bitwise_xor.reduceat(_WORD_LETTERS.of(codes), codes.starts) == 0
    return found


def check_said_twice(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text whose second half is its first half again; the detail quotes the half."""
    letters = "".join(candidate.words)
    half = len(letters) // 2
    if half < _MIN_HALF_CHARS or not _has_equal_halves(letters):
        return KEEP
    if _has_equal_halves("".join(candidate.source_words.words)):
        return KEEP
    return reject("said_twice", f"{candidate.text[: len(candidate.text) // 2].strip()[:60]!r} and the same again")


def _has_equal_halves(letters: str) -> bool:
    half = len(letters) // 2
    return len(letters) == 2 * half > 0 and letters[:half] == letters[half:]
