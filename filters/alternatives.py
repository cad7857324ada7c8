"""Two ways to say it instead of one: "Das Auto ist rot / Der Wagen ist rot".

A slash that the source does not have, with halves that are alike in length and in letters. "Er/Sie" is no pair of
alternatives for a whole text: its halves are not alike. Cost: nothing without a slash.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.filters.words import folded_words
from florenz.languages.characters import one_of

_SLASHES = "/／|"
_MIN_LETTERS, _MIN_LENGTH_RATIO, _MIN_ALIKE = 3, 0.5, 0.5


_ANY_SLASH = one_of(_SLASHES)


def may_be_alternatives(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a slash."""
    return columns.have(_ANY_SLASH)


def check_alternatives(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text of two halves that say about the same; the detail quotes the second one's beginning."""
    for slash in _SLASHES:
        if slash in candidate.text and slash not in candidate.source:
            first, _, second = _halves(candidate.text, slash)
            if _are_alike("".join(folded_words(first)), "".join(folded_words(second))):
                return reject("alternatives", f"{second.strip()[:60]!r} after {slash!r} says the same again")
    return KEEP


def _halves(text: str, slash: str) -> tuple[str, str, str]:
    """Cut at the slash in the middle: "A / B / C / D" into "A / B" and "C / D"."""
    pieces = text.split(slash)
    middle = (len(pieces) + 1) // 2
    return slash.join(pieces[:middle]), slash, slash.join(pieces[middle:])


def _are_alike(first: str, second: str) -> bool:
    shorter, longer = sorted((len(first), len(second)))
    if shorter < _MIN_LETTERS or shorter < _MIN_LENGTH_RATIO * longer:
        return False
    return (Counter(first) & Counter(second)).total() >= _MIN_ALIKE * longer
