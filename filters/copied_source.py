"""Was the English source handed back instead of a translation?

Compared word for word, without case and punctuation. Names and numbers are free, so "Coca Cola" or "Boeing 747" may
stay what they are, and a caption full of names is not dropped for sharing them.
"""

from __future__ import annotations

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.scripts import script_weights

_NEARLY_ALL = 0.8
_MIN_WORDS = 4


def may_be_copied_source(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with an ordinary word of its source."""
    return columns.shares_words


def check_copied_source(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects the same words again, or (from four ordinary words on) a text that is 80% words of the source."""
    if not candidate.source:
        return KEEP
    source, text = candidate.source_words, candidate.words
    if source.known.isdisjoint(text):
        return KEEP
    ordinary = [word for word in text if word not in source.names]
    if not ordinary:
        return KEEP
    if list(source.words) == text:
        return reject("copied_source", f"all {len(text)} words are those of the source: {quoted(candidate.text)}")
    share = _copied_share(ordinary, source.known)
    if len(ordinary) >= _MIN_WORDS and share >= _NEARLY_ALL:
        return reject(
            "copied_source",
            f"{share:.0%} of the text is words of the source: {quoted(_copied(ordinary, source.known))}",
        )
    return KEEP


def _copied(words: list[str], known: frozenset[str]) -> str:
    return " ".join(word for word in words if word in known)


def _copied_share(words: list[str], known: frozenset[str]) -> float:
    """Share of the text, 0 to 1, by letters: a whole Chinese sentence comes out of the cutting as one word."""
    letters = [(word in known, sum(script_weights(word).values())) for word in words]
    total = sum(weight for _, weight in letters)
    return sum(weight for is_known, weight in letters if is_known) / total if total else 0.0
