"""Does the text end in the middle of a word? "Ein Hund läuft durch den Gar." - and the server said that it was done.

By the words of the run: nobody else writes the last word, others write a longer one that begins with it, and that one
is what the source says ("garden" goes with "Garten"). All three together: an unknown last word alone is most often a
rare one. So it asks the table that `alignment.py` learns, and is silent where there is none. A server that ran into its
limit says so itself (`truncated`).
German, 10,000 pairs: 53% of words cut off are caught, one good text in 1,000 is lost (`make bench-filters`). Cost: a
look into a table; a search among words with the same beginning for one text in ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from florenz.filters.alignment import WORDS, PairModel, is_spaced, tokens
from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.languages.codes import SOURCE

_MIN_LEFT_OUT = 2  # letters: an ending of one is more often another form of the same word
_MIN_LIKELIER = 1.0  # nats: how much the source has to speak for the whole word
_MAX_LONGER_WORDS = 500


def check_cut_word(candidates: Sequence[Candidate], tables: Mapping[str, AlignmentTable]) -> list[Verdict]:
    """Rejects translations that end in a piece of the word that their source asks for, in languages with a table."""
    return [_check(candidate, tables) if candidate.source else KEEP for candidate in candidates]


def _check(candidate: Candidate, tables: Mapping[str, AlignmentTable]) -> Verdict:
    table = tables.get(candidate.language)
    if table is None or not candidate.words or not is_spaced(candidate.language):
        return KEEP
    last = candidate.words[-1]
    whole = _whole_word(last, candidate.source, table.model_of(candidate.source))
    if not whole or whole in candidate.words or last in candidate.source_words.known:
        return KEEP
    return reject("cut_word", f"ends in {quoted(last)}, a piece of {quoted(whole)}")


def _whole_word(last: str, source: str, model: PairModel) -> str:
    """The word that begins with `last` and that the source speaks for; "" if there is none, or if `last` is a word."""
    lexicon = model.forwards[WORDS]
    if last in lexicon.explained:
        return ""
    longer = [
        word for word in lexicon.beginning_with(last, _MAX_LONGER_WORDS) if len(word) - len(last) >= _MIN_LEFT_OUT
    ]
    if not longer:
        return ""
    likelier = lexicon.likelier(tokens(source, SOURCE, WORDS), longer)
    best = int(np.argmax(likelier))
    return longer[best] if likelier[best] >= _MIN_LIKELIER else ""
