"""Were the first words left in English? "The man läuft durch den Park."

An answer that begins with the words of its source: two of them and more, not all of them names, or one that only builds
sentences ("he", "there", "why", "doesn't"). Capitalised words may be names and are not enough, but for those that
English sentences begin with, and what stands within a name ("The Beatles", "van Gogh") is a part of it. Words that are
words of the target language as well ("is" and "was" in Dutch, "my" in Afrikaans) say nothing either; which ones stands
in `shared_words.py`, from human translations. A language that is not in there needs two words that are no names. It
drops four of 32,860 human translations, judged by words of others (five parts, a script that is not kept), and most of
what begins in English ("first half left in English", docs/filters.md). Cost: comparing first words, and a look at three
texts in 100.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.shared_words import SHARED_WORDS
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.filters.words import ENGLISH_ONLY, ENGLISH_OPENERS
from florenz.languages.codes import SOURCE

_MIN_WORDS = 2
_PARTS_OF_NAMES = frozenset({"al", "bin", "da", "de", "del", "den", "der", "di", "du", "ibn", "la", "le", "van", "von"})
_BUILDS_SENTENCES = ENGLISH_OPENERS | ENGLISH_ONLY


def may_be_copied_head(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text that begins with the first word of its source."""
    pairs = zip(columns.sources, columns.words, strict=True)
    return columns.of(bool(words) and source.words[:1] == (words[0],) for source, words in pairs)


def check_copied_head(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that begins with English words of the source's beginning; the detail quotes them."""
    source, text = candidate.source_words, candidate.words
    length = _common_head(source.words, text)
    if candidate.language == SOURCE or not 0 < length < len(text):
        return KEEP
    ordinary = _ordinary(text[:length], source.names)
    shared = SHARED_WORDS.get(candidate.language)
    english = [word for word in ordinary if shared is None or word not in shared]
    num_words = len(ordinary) if shared is None else length - (len(ordinary) - len(english))
    if not english or not (num_words >= _MIN_WORDS or (shared is not None and any(map(_builds_sentences, english)))):
        return KEEP
    return reject("copied_head", f"begins as the source does: {' '.join(text[:length])[:60]!r}")


def _ordinary(head: Sequence[str], names: Collection[str]) -> list[str]:
    """Words that are no part of a name: not capitalised in the source, or such as English sentences begin with; no
    "van" and no word with a name behind it ("The Beatles", "University of Michigan").
    """
    found = []
    for place, word in enumerate(head):
        is_opener = place == 0 and word in ENGLISH_OPENERS and word != "the"
        is_within_name = word in _PARTS_OF_NAMES or (place + 1 < len(head) and head[place + 1] in names)
        is_ordinary = word not in names or (place == 0 and word in ENGLISH_OPENERS)
        if is_ordinary and (is_opener or not is_within_name):
            found.append(word)
    return found


def _builds_sentences(word: str) -> bool:
    """A word like "he", alone or contracted: "he's", "doesn't"."""
    begin, apostrophe, end = word.replace("’", "'").partition("'")
    return begin in _BUILDS_SENTENCES or bool(apostrophe and end == "t" and begin.endswith("n"))


def _common_head(first: Sequence[str], second: Sequence[str]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
