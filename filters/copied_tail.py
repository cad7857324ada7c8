"""Were the last words left in English? "Ein Hund läuft durch the park."

Two ordinary words or more that end both source and text. `mixed_language` wants more of them in a short text, because
in the middle of one two words in a row may be a name; at the end of both they are what an answer stopped translating.
Capitalised words of the source are left out, as they may be a name. Cost: comparing a few words.
"""

from __future__ import annotations

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.codes import SOURCE

_MIN_WORDS, _MIN_LETTERS = 2, 5


def may_be_copied_tail(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text that ends in the last word of its source, and shares one that is no name."""
    found = np.flatnonzero(columns.shares_words).tolist()
    ends = np.zeros(len(columns.candidates), dtype=bool)
    ends[[place for place in found if columns.sources[place].words[-1] == columns.words[place][-1]]] = True
    return ends


def check_copied_tail(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that ends in two words of the source's end that are no names; the detail quotes them."""
    source, text = candidate.source_words.words, candidate.words
    if candidate.language == SOURCE or not source or not text or source[-1] != text[-1]:
        return KEEP
    length = _common_tail(source, text)
    tail = [word for word in text[len(text) - length :] if word not in candidate.source_words.names]
    if length >= len(text) or len(tail) < _MIN_WORDS or sum(map(len, tail)) < _MIN_LETTERS:
        return KEEP
    return reject("copied_tail", f"ends as the source does: {' '.join(text[len(text) - length :])[-60:]!r}")


def _common_tail(first: tuple[str, ...], second: list[str]) -> int:
    length = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        length += 1
    return length
